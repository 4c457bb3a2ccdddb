package jetstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func arrive(d *deliveries, from, to int) {
	for i := from; i <= to; i++ {
		d.add(&nats.Msg{Reply: fmt.Sprint(i), Data: []byte("x")}, time.Unix(int64(i), 0))
	}
}

func TestAckSettlesWhatWasReceivedBefore(t *testing.T) {
	var d deliveries
	arrive(&d, 1, 6)
	for range 5 {
		d.receive()
	}
	if reply, ok := d.settle(2); !ok || reply != "2" {
		t.Fatalf("settle 2: got %q (%v)", reply, ok)
	}
	if replies, ok := d.settleThrough(4, nil); !ok || !slices.Equal(replies, []string{"1", "3", "4"}) {
		t.Fatalf("settle through 4: got %v (%v), want 1, 3, 4", replies, ok)
	}
	for _, tag := range []uint64{0, 2, 4, 6, 7} { // never there, settled, settled, not received, not there yet
		if _, ok := d.settle(tag); ok {
			t.Errorf("settled %d, which is not to be settled", tag)
		}
		if _, ok := d.settleThrough(tag, nil); ok {
			t.Errorf("settled through %d, which is not to be settled", tag)
		}
	}
	if d.unsettled != 2 {
		t.Errorf("%d unsettled, want 5 and 6", d.unsettled)
	}
	var rest []string
	for _, e := range d.rest() {
		rest = append(rest, e.reply)
	}
	if !slices.Equal(rest, []string{"5", "6"}) || d.unsettled != 0 || d.bytes != 0 {
		t.Errorf("the rest is %v (%d unsettled, %d bytes), want 5 and 6 taken out", rest, d.unsettled, d.bytes)
	}
}

func TestUntouchedAreTouchedOnce(t *testing.T) {
	var d deliveries
	arrive(&d, 1, 4) // touched at 1 s to 4 s
	d.receive()
	d.receive()
	d.settle(1)
	now := time.Unix(5, 0)
	if got := d.untouched(now, 2*time.Second, nil); !slices.Equal(got, []string{"2", "3"}) {
		t.Fatalf("got %v, want 2 (received) and 3 (waiting)", got)
	}
	if got := d.untouched(now, 2*time.Second, nil); got != nil {
		t.Fatalf("got %v again", got)
	}
}

// However messages are received and settled, those unsettled are known exactly, and memory follows their number.
func TestDeliveriesAtRandom(t *testing.T) {
	var d deliveries
	held, next := map[uint64]bool{}, uint64(0)
	arrive(&d, 1, 1)
	_, forever, _ := d.receive() // stays unsettled to the end
	for range 20_000 {
		switch {
		case d.unsettled < 50:
			d.add(&nats.Msg{Reply: "r"}, time.Time{})
			next++
		case rand.IntN(2) == 0:
			if _, tag, ok := d.receive(); ok {
				held[tag] = true
			}
		default:
			for tag := range held {
				if _, ok := d.settle(tag); !ok {
					t.Fatalf("tag %d is held and cannot be settled", tag)
				}
				delete(held, tag)
				break
			}
		}
		if len(d.list) > 300 {
			t.Fatalf("%d places for %d unsettled messages", len(d.list), d.unsettled)
		}
	}
	if _, ok := d.settle(forever); !ok {
		t.Error("the one that stayed cannot be settled")
	}
}
