package jetstream

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// ask makes every request that is worthwhile and returns the numbers of messages asked for.
func ask(r *requests, window int, held *deliveries) (asked []int) {
	for {
		n, ok := r.next(window, held)
		if !ok {
			return asked
		}
		n.deadline = time.Unix(10, 0)
		r.made(n)
		asked = append(asked, n.messages)
	}
}

func TestRequestsFillTheWindowAndNoMore(t *testing.T) {
	for window := 1; window <= 100; window++ {
		var r requests
		var held deliveries
		sum := 0
		for _, n := range ask(&r, window, &held) {
			sum += n
		}
		if sum != window {
			t.Errorf("window %d: asked for %d messages", window, sum)
		}
		if more := ask(&r, window, &held); more != nil {
			t.Errorf("window %d: asked for %v more at once", window, more)
		}
	}
}

func TestFreeRoomIsGathered(t *testing.T) {
	var r requests
	var held deliveries
	ask(&r, 100, &held)
	arrive(&held, 1, 100)
	for range 100 {
		r.arrived(10)
		held.receive()
	}
	if got := ask(&r, 100, &held); got != nil {
		t.Fatalf("asked for %v with a full window", got)
	}
	for tag := range uint64(3) {
		held.settle(tag + 1)
	}
	if got := ask(&r, 100, &held); len(got) != 1 || got[0] != 3 {
		t.Fatalf("asked for %v, want 3 at once as nothing else is asked for", got)
	}
	for tag := range uint64(24) {
		held.settle(tag + 4)
	}
	if got := ask(&r, 100, &held); got != nil {
		t.Fatalf("asked for %v with 24 of 100 free", got)
	}
	held.settle(28)
	if got := ask(&r, 100, &held); len(got) != 1 || got[0] != 25 {
		t.Fatalf("asked for %v with 25 of 100 free", got)
	}
}

func TestARequestThatEndsFreesItsRest(t *testing.T) {
	var r requests
	var held deliveries
	ask(&r, 10, &held) // two requests, 5 each
	r.arrived(1)
	if n, known := r.ended(1, 4, 0); !known || n.messages != 5 || r.asked != 5 {
		t.Fatalf("got %+v (%v), %d asked for; want the request for 5, and 5 left", n, known, r.asked)
	}
	if _, known := r.ended(1, 4, 0); known || r.asked != 5 {
		t.Fatalf("the same end twice: %d asked for, want 5", r.asked)
	}
}

// A server that is gone takes its requests with it. They must not hold the window for ever.
func TestLostRequestsAreNoticed(t *testing.T) {
	var r requests
	var held deliveries
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	ask(&r, 10, &held)
	if r.lost(at(9), at(0)) {
		t.Fatal("lost before the deadline")
	}
	if !r.lost(at(11), at(10)) {
		t.Fatal("not lost after the deadline")
	}
	r.forget()
	if ask(&r, 10, &held); r.asked != 10 {
		t.Fatalf("%d asked for, want the whole window anew", r.asked)
	}
	for id := range r.open {
		r.ended(id, 0, 0)
	}
	if r.asked != 10 || r.lost(at(12), at(9)) {
		t.Fatalf("%d asked for, want what ended requests have sent still expected", r.asked)
	}
	if !r.lost(at(16), at(10)) {
		t.Fatal("nothing has come for long, and it is not lost")
	}
	for range 10 {
		r.arrived(1)
	}
	if r.lost(at(100), at(0)) {
		t.Fatal("everything has come, and something is lost")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var r requests
	var held deliveries
	const size = 8 << 20
	body := make([]byte, size)
	for range 100 { // a server that sends as much as each request allows
		n, ok := r.next(1000, &held)
		if !ok {
			break
		}
		id := r.made(n)
		for n.messages > 0 && n.bytes >= size {
			held.add(&nats.Msg{Data: body}, time.Time{})
			held.receive()
			r.arrived(size)
			n.messages, n.bytes = n.messages-1, n.bytes-size
		}
		r.ended(id, n.messages, n.bytes)
	}
	if held.bytes > memory || held.bytes < memory/2 {
		t.Fatalf("holds %d MiB, want close to %d", held.bytes>>20, memory>>20)
	}
	for held.unsettled > 0 {
		held.settleThrough(held.tag, nil)
	}
	if _, ok := r.next(1000, &held); !ok {
		t.Fatal("asks for nothing with nothing held")
	}
}

func TestALargeMessageIsAskedForAlone(t *testing.T) {
	var r requests
	var held deliveries
	arrive(&held, 1, 1)
	held.receive()
	r.large = true
	if n, ok := r.next(1000, &held); ok {
		t.Fatalf("asked for %+v while another is held", n)
	}
	held.settle(1)
	if n, ok := r.next(1000, &held); !ok || n != (request{messages: 1, whole: true}) {
		t.Fatalf("got %+v (%v), want one of any size", n, ok)
	}
}

// Whatever arrives, ends and expires in whatever order, the window holds and never stays closed.
func TestRequestsAtRandom(t *testing.T) {
	for range 200 {
		var r requests
		var held deliveries
		window := 1 + rand.IntN(100)
		for range 500 {
			ask(&r, window, &held)
			if sum := held.unsettled + r.asked; sum > window {
				t.Fatalf("%d held and %d asked for, in a window of %d", held.unsettled, r.asked, window)
			}
			switch rand.IntN(4) {
			case 0, 1:
				if r.asked > 0 {
					arrive(&held, 1, 1)
					held.receive()
					r.arrived(20)
				}
			case 2:
				held.settleThrough(held.tag, nil)
			case 3:
				r.ended(r.id-uint64(rand.IntN(3)), rand.IntN(window), rand.IntN(memory))
			}
		}
		held.settleThrough(held.tag, nil)
		if r.lost(time.Unix(100, 0), time.Time{}) {
			r.forget()
		}
		if ask(&r, window, &held); r.asked == 0 {
			t.Fatalf("nothing asked for with all of a window of %d free", window)
		}
	}
}
