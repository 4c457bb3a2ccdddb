package configs

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written 64MiB or 10GB; a bare number is bytes.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

func (s *Size) setText(text string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 || n > (1<<62)/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return errors.New("want a size such as 64MiB or 10GiB")
}

// String writes the size in the largest binary unit that leaves no rest.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if s > 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Rate is a number of messages a second, written 2000/s, 100/m or 50/h; 0 is no limit.
type Rate float64

var ratePeriods = map[string]float64{"s": 1, "m": 60, "h": 3600}

func (r *Rate) setText(text string) error {
	digits, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(digits, 10, 32)
	if seconds, ok := ratePeriods[unit]; ok && err == nil && n > 0 {
		*r = Rate(float64(n) / seconds)
		return nil
	}
	return errors.New("want a rate such as 2000/s or 100/m")
}

// String writes the rate a second, minute or hour, whichever is a whole number, or nothing for no limit.
func (r Rate) String() string {
	if r == 0 {
		return ""
	}
	unit := "h"
	for _, u := range []string{"m", "s"} {
		if n := float64(r) * ratePeriods[u]; math.Abs(n-math.Round(n)) < 1e-6 { // 7/60 has no exact float
			unit = u
		}
	}
	return strconv.FormatFloat(float64(r)*ratePeriods[unit], 'f', 0, 64) + "/" + unit
}

// DeleteAfter is the number of messages after which a shovel ends, or one of the words below.
type DeleteAfter int64

// The words beside a number.
const (
	DeleteNever       DeleteAfter = 0
	DeleteQueueLength DeleteAfter = -1 // as many messages as the queue holds when the shovel starts
)

func (d *DeleteAfter) setText(text string) error {
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case text == "never":
		*d = DeleteNever
	case text == "queue-length":
		*d = DeleteQueueLength
	case err == nil && n > 0:
		*d = DeleteAfter(n)
	default:
		return errors.New("want never, queue-length or a number of messages")
	}
	return nil
}

// String writes the word or the number.
func (d DeleteAfter) String() string {
	switch d {
	case DeleteNever:
		return "never"
	case DeleteQueueLength:
		return "queue-length"
	default:
		return strconv.FormatInt(int64(d), 10)
	}
}
