package link_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"weir/broker"
)

// limited is how many messages a second the links below could move if there were no distance.
const limited = 5_000

// keepsUp checks that a link reaches 80 % of that within ten seconds, and keeps to it.
func (r *rig) keepsUp() {
	r.Helper()
	r.spec.RateLimit = limited
	for range 16 * limited {
		r.from.Put("in", "x")
	}
	r.start()
	r.after(10 * time.Second)
	before := r.link.Status().Counts.Confirmed
	r.after(5 * time.Second)
	if rate := (r.link.Status().Counts.Confirmed - before) / 5; rate < limited*8/10 {
		r.Errorf("%d messages a second, want %d; window %d", rate, limited*8/10, r.link.Status().Window)
	}
	if w := r.link.Status().Window; w > limited/2 {
		r.Errorf("window %d", w)
	}
}

func TestWindowGrowsWithTheWayToTheDestination(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(80 * time.Millisecond)
		r.keepsUp()
	})
}

func TestWindowGrowsWithTheWayToTheSource(t *testing.T) {
	play(t, func(r *rig) {
		r.source.wrap = func(s broker.Source) broker.Source { return &farSource{Source: s, delay: 80 * time.Millisecond} }
		r.keepsUp()
	})
}

// farSource is as far away as its delay: acks take that long to arrive.
type farSource struct {
	broker.Source
	delay time.Duration
}

func (f *farSource) Ack(last *broker.Message) error {
	time.AfterFunc(f.delay, func() { _ = f.Source.Ack(last) })
	return nil
}

// RoundTrip implements broker.RoundTripper.
func (f *farSource) RoundTrip() time.Duration { return f.delay }

// Resize implements broker.Resizer.
func (f *farSource) Resize(ctx context.Context, window int) error {
	return f.Source.(broker.Resizer).Resize(ctx, window)
}

func TestWindowStaysWithinTheMemoryLimit(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.MemoryLimit = 1 << 20
		r.to.Latency(80 * time.Millisecond)
		body := strings.Repeat("x", 4096)
		for range 20_000 {
			r.from.Put("in", body)
		}
		r.start()
		r.after(5 * time.Second)
		if s := r.link.Status(); s.Window != 256 {
			r.Errorf("window %d, want 1 MiB of 4 KiB messages: 256", s.Window)
		}
		if r.source.mostOut > 256 {
			r.Errorf("%d messages were in hand", r.source.mostOut)
		}
	})
}

func TestWindowOfAnIdleLinkStaysSmall(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(80 * time.Millisecond)
		r.start()
		for range 300 { // 20 a second
			r.put(1)
			r.after(50 * time.Millisecond)
		}
		if s := r.link.Status(); s.Window != 64 {
			r.Errorf("window %d", s.Window)
		}
	})
}
