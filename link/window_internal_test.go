package link

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata from what is")

// Each file in testdata/windows is a line of settings and then a story, a line for each measurement; behind the bar is
// what the window becomes.
func TestWindowStories(t *testing.T) {
	files, err := filepath.Glob("testdata/windows/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := tell(t, string(text))
			if told == string(text) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(told), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("it goes otherwise (-update accepts it):\n%s", told)
		})
	}
}

// tell plays a story and returns it with what came of it.
func tell(t *testing.T, text string) string {
	var told strings.Builder
	var w *window
	var steps []int
	now := time.Unix(0, 0)
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "|")
		line = strings.TrimRight(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			told.WriteString(line + "\n")
		case w == nil:
			declared, begun, _ := strings.Cut(line, " begun=")       // of a source that begins with this window and keeps it
			declared, step, found := strings.Cut(declared, " step=") // of a source that takes its first window and this one
			w = newWindow(settings(t, declared))
			if n, err := strconv.Atoi(begun); err == nil {
				w.opened(n)
				steps = []int{n}
			} else if begun != "" {
				t.Fatalf("begun %q: %v", begun, err)
			}
			if large, err := strconv.Atoi(step); err == nil {
				steps = []int{w.total(), large}
			} else if found {
				t.Fatalf("step %q: %v", step, err)
			}
			fmt.Fprintf(&told, "%-64s | %d\n", line, w.total())
		default:
			p, took := measurement(t, line, w)
			now = now.Add(took)
			to := w.next(p, now)
			if steps != nil {
				to = w.stepped(to, p.size, steps)
			}
			if to != w.sizing {
				w.resized(to, p, now)
			}
			fmt.Fprintf(&told, "%-64s | %d\n", line, w.total())
		}
	}
	return told.String()
}

// settings reads "window=0 max=10000 memory=64MiB rate-limit=100".
func settings(t *testing.T, line string) Spec {
	var s Spec
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		var n float64
		if _, err := fmt.Sscan(value, &n); err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		switch key {
		case "window":
			s.Window = int(n)
		case "max":
			s.MaxWindow = int(n)
		case "memory-mib":
			s.MemoryLimit = int64(n) << 20
		case "rate-limit":
			s.RateLimit = n
		default:
			t.Fatalf("unknown setting %q", key)
		}
	}
	return s.withDefaults()
}

// measurement reads "after=1s rate=100 trip=80ms size=1024 stranded=3". The rate may be "full": as much as the window
// allows, up to "of".
func measurement(t *testing.T, line string, w *window) (p pace, took time.Duration) {
	p.size, took = 1024, time.Second
	most := 0.0
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "after":
			took, err = time.ParseDuration(value)
		case "trip":
			p.roundTrip, err = time.ParseDuration(value)
		case "rate":
			_, err = fmt.Sscan(value, &p.rate)
		case "most": // as much as the window lets through, and this at most; more only makes the broker answer later
			_, err = fmt.Sscan(value, &most)
		case "size":
			_, err = fmt.Sscan(value, &p.size)
		case "stranded":
			_, err = fmt.Sscan(value, &p.stranded)
		default:
			err = fmt.Errorf("unknown figure")
		}
		if err != nil {
			t.Fatalf("%s: %v", word, err)
		}
	}
	if most > 0 {
		p.rate = min(most, float64(w.flow)/p.roundTrip.Seconds())
		p.roundTrip = time.Duration(float64(w.flow) / p.rate * float64(time.Second))
	}
	return p, took
}
