package amqp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Ensure the bounds follow from what was there and what has left since.
func TestAges(t *testing.T) {
	for name, c := range map[string]struct {
		readings string // seconds: ready unacked, published delivered acked so far
		want     string
	}{
		"nothing known":             {"", "unknown unknown"},
		"empty":                     {"0: 0 0, 5 5 5", "0s 0s"},
		"first look":                {"0: 7 0, 7 0 0", "0s unknown"},
		"nobody consumes":           {"0: 7 0, 7 0 0; 10: 9 0, 9 0 0; 60: 9 0, 9 0 0", "1m0s unknown"},
		"it was empty":              {"0: 0 0, 5 5 5; 10: 3 0, 8 5 5; 20: 3 0, 8 5 5", "10s 20s"},
		"some of it has left":       {"0: 10 0, 10 0 0; 10: 10 2, 12 2 0; 20: 10 4, 16 6 2", "20s unknown"},
		"all of it has left":        {"0: 10 0, 10 0 0; 10: 10 0, 20 10 10; 30: 15 0, 30 15 15", "20s 30s"},
		"delivered but not acked":   {"0: 10 0, 10 0 0; 10: 10 10, 20 10 0", "0s unknown"},
		"it expires":                {"0: 10 0, 10 0 0; 10: 10 0, 20 0 0; 20: 10 0, 30 0 0", "0s unknown"},
		"a node was restarted":      {"0: 10 0, 10 0 0; 10: 10 0, 10 0 0; 20: 10 0, 0 0 0", "0s unknown"},
		"delivered again and again": {"0: 10 0, 10 0 0; 10: 10 0, 10 50 0; 20: 10 0, 10 90 0", "0s unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			var a ages
			for reading := range strings.SplitSeq(c.readings, ";") {
				var s sample
				var second int
				if n, _ := fmt.Sscanf(strings.TrimSpace(reading), "%d: %d %d, %d %d %d",
					&second, &s.ready, &s.unacked, &s.Publish, &s.DeliverGet, &s.Ack); n == 6 {
					s.at = time.Unix(int64(second), 0)
					a.add(s)
				}
			}
			least, most := a.bounds()
			if got := fmt.Sprint(least, " ", most); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Ensure the bounds hold for queues that are filled and emptied at random, also long after the first readings have been
// thinned out.
func TestAgesHold(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 0))
		var a ages
		var arrived []time.Time // of what is ready
		var s sample
		var unacked int64
		burst, drain := 1+r.IntN(8), 1+r.IntN(8)
		for second := range 1000 {
			now := time.Unix(int64(second), 0)
			for range r.IntN(burst) {
				arrived = append(arrived, now)
				s.Publish++
			}
			if second%200 > 100 { // the consumers come and go
				for range min(r.IntN(drain), len(arrived)) {
					arrived = arrived[1:]
					s.DeliverGet++
					unacked++
				}
			}
			if unacked > 0 && r.IntN(3) > 0 {
				n := 1 + r.Int64N(unacked)
				s.Ack += n
				unacked -= n
			}
			s.at, s.ready, s.unacked = now, int64(len(arrived)), unacked
			a.add(s)
			if len(a.samples) > mostSamples {
				t.Fatalf("%d samples", len(a.samples))
			}
			var age time.Duration
			if len(arrived) > 0 {
				age = now.Sub(arrived[0])
			}
			least, most := a.bounds()
			if least.D > age || most.Known && most.D < age {
				t.Fatalf("seed %d, second %d: the oldest is %v old, not between %v and %v", seed, second, age, least, most)
			}
			if !least.Known {
				t.Fatalf("seed %d, second %d: no lower bound", seed, second)
			}
		}
	}
}

// Ensure a standing queue is known to be old, to within a tenth.
func TestAgesPrecise(t *testing.T) {
	var a ages
	for second := range 10_000 {
		a.add(sample{at: time.Unix(int64(second), 0), ready: int64(second), counters: counters{Publish: int64(second)}})
	}
	least, most := a.bounds()
	if want := 9999 * time.Second; !most.Known || most.D < want || least.D < want*9/10 {
		t.Errorf("between %v and %v, want about %v", least, most, want)
	}
}
