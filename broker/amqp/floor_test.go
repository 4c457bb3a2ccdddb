package amqp

import (
	"testing"

	"weir/broker"
)

// Ensure the floor is the last offset up to which everything is settled, whatever the order.
func TestFloor(t *testing.T) {
	ack := func(tag uint64) func(*floor) { return func(f *floor) { f.ack(tag) } }
	settle := func(tag uint64, how broker.Settlement) func(*floor) {
		return func(f *floor) { f.settle(tag, how) }
	}
	for name, c := range map[string]struct {
		steps []func(*floor)
		want  int64 // -1: not known
	}{
		"nothing":               {nil, -1},
		"all":                   {[]func(*floor){ack(5)}, 104},
		"some":                  {[]func(*floor){ack(2)}, 101},
		"a gap":                 {[]func(*floor){settle(2, broker.Acked)}, -1},
		"a gap that was filled": {[]func(*floor){settle(2, broker.Acked), settle(1, broker.Rejected)}, 101},
		"one was given back":    {[]func(*floor){settle(2, broker.Returned), ack(5)}, 100},
		"an earlier one, too":   {[]func(*floor){settle(4, broker.Returned), settle(2, broker.Returned), ack(5)}, 100},
		"a later one, too":      {[]func(*floor){settle(2, broker.Returned), settle(4, broker.Returned), ack(5)}, 100},
		"twice":                 {[]func(*floor){ack(3), ack(3), ack(1)}, 102},
	} {
		t.Run(name, func(t *testing.T) {
			var f floor
			for i := range uint64(5) {
				f.received(i+1, int64(100+i))
			}
			for _, step := range c.steps {
				step(&f)
			}
			offset, known := f.settled()
			if known != (c.want >= 0) || known && offset != c.want {
				t.Errorf("got %d (%v), want %d", offset, known, c.want)
			}
		})
	}
}

// Ensure nothing is remembered of what comes after a message that was given back: it will be read again, whatever becomes
// of it now.
func TestFloorForgets(t *testing.T) {
	var f floor
	f.received(1, 101)
	f.received(2, 102)
	f.settle(2, broker.Returned)
	for tag := uint64(3); tag < 1000; tag++ {
		f.received(tag, int64(100+tag))
		f.ack(tag)
	}
	if n := len(f.held); n > 0 {
		t.Errorf("%d are remembered", n)
	}
	if offset, known := f.settled(); !known || offset != 101 {
		t.Errorf("got %d (%v), want 101", offset, known)
	}
}
