package broker

import (
	"strconv"
	"time"
)

// Depth is one reading of a queue or a stream's consumer.
type Depth struct {
	// Ready messages wait for a consumer. Unacked ones have been delivered.
	Ready, Unacked Count
	// Consumers are those of others: weir's own and RabbitMQ's federation links are left out.
	Consumers Count
	// OldestAtLeast and OldestAtMost bound the age of the oldest message. They are equal where the broker tells.
	OldestAtLeast, OldestAtMost Age
	// At is when it was read.
	At time.Time
}

// Count is a number that a broker may not know.
type Count struct {
	N     int64
	Known bool
}

// Counted is a known Count.
func Counted(n int64) Count { return Count{N: n, Known: true} }

func (c Count) String() string {
	if !c.Known {
		return "unknown"
	}
	return strconv.FormatInt(c.N, 10)
}

// Age is a duration that a broker may not know.
type Age struct {
	D     time.Duration
	Known bool
}

// Aged is a known Age.
func Aged(d time.Duration) Age { return Age{D: d, Known: true} }

func (a Age) String() string {
	if !a.Known {
		return "unknown"
	}
	return a.D.Round(time.Millisecond).String()
}
