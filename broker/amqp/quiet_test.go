package amqp

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
)

// nothing is left to deliver.
func nothing() bool { return true }

// Ensure settlements are kept back from when silence is waited for until it is ended, and then made in order, the
// cumulative ones once.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		q.begin("tag", 1000)
		q.answered(100 * time.Millisecond)
		var made []string
		do := func(s settlement) error {
			made = append(made, fmt.Sprint(s.tag))
			return nil
		}
		settle := func(tag uint64, multiple bool, how broker.Settlement) {
			check(t, q.settle(settlement{tag: tag, multiple: multiple, how: how}, do))
		}
		settle(1, true, broker.Acked)

		begin := time.Now()
		silent := make(chan time.Duration, 1)
		go func() {
			q.await("tag", nothing)
			silent <- time.Since(begin)
		}()
		for i := range 3 { // messages that were on their way
			time.Sleep(300 * time.Millisecond)
			q.receive(uint64(7 + i))
		}
		settle(2, true, broker.Acked)
		settle(3, true, broker.Acked)
		settle(4, false, broker.Rejected)
		settle(5, true, broker.Acked)
		if took := <-silent; took < 900*time.Millisecond+4*q.roundTrip() || took > mostWait {
			t.Errorf("silent after %v", took)
		}
		if fmt.Sprint(made) != "[1]" {
			t.Errorf("settled %v while it was kept back", made)
		}
		check(t, q.end(do))
		settle(6, true, broker.Acked)
		if fmt.Sprint(made) != "[1 3 4 5 6]" {
			t.Errorf("settled %v", made)
		}
	})
}

// Ensure a broker that never falls silent is not waited for without end.
func TestQuietNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		q.begin("tag", 1000)
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.await("tag", nothing)
		}()
		begin := time.Now()
		for {
			select {
			case <-done:
				if took := time.Since(begin); took < mostWait || took > 2*mostWait {
					t.Errorf("waited for %v", took)
				}
				return
			case <-time.After(time.Millisecond):
				q.receive(1)
			}
		}
	})
}

// Ensure a broker that pauses is not taken for one that has nothing more.
func TestQuietPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		q.begin("tag", 1000)
		q.receive(1)
		began := time.Now()
		const pause = 2 * time.Second
		q.await("tag", func() bool { return time.Since(began) >= pause })
		if took := time.Since(began); took < pause || took >= mostWait {
			t.Errorf("waited for %v, though something was left for %v", took, pause)
		}
		q.begin("tag", 1000)
		began = time.Now()
		q.await("tag", func() bool { return false })
		if took := time.Since(began); took > mostSilence {
			t.Errorf("waited for %v for the turn of another consumer", took)
		}
	})
}

// Ensure a full window is as good as silence: the broker cannot send more.
func TestQuietFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		q.begin("tag", 3)
		for tag := range uint64(5) {
			q.receive(tag + 1)
		}
		do := func(settlement) error { return nil }
		check(t, q.settle(settlement{tag: 1, multiple: true}, do))
		check(t, q.settle(settlement{tag: 3}, do)) // 2, 4 and 5 are left
		begin := time.Now()
		q.await("tag", nothing)
		if took := time.Since(begin); took >= leastSilence {
			t.Errorf("waited for %v though the window was full", took)
		}
		begin = time.Now()
		q.await("the next one", nothing)
		if took := time.Since(begin); took < leastSilence {
			t.Errorf("waited for %v though it is the window of another consumer that is full", took)
		}
	})
}

// Ensure nothing is remembered of messages that were settled one by one, once those before them have been settled, too:
// a link may reject all it gets.
func TestQuietForgets(t *testing.T) {
	var q quiet
	const window = 4
	q.begin("tag", window)
	do := func(settlement) error { return nil }
	for tag := uint64(1); tag <= 1000; tag += 2 {
		q.receive(tag)
		q.receive(tag + 1)
		check(t, q.settle(settlement{tag: tag + 1, how: broker.Rejected}, do))
		check(t, q.settle(settlement{tag: tag, how: broker.Rejected}, do))
		if n := len(q.singles); n > 0 {
			t.Fatalf("%d are remembered though everything is settled", n)
		}
	}
	for tag := uint64(1001); tag <= 1000+window; tag++ {
		if q.full("tag") {
			t.Fatalf("full before message %d", tag)
		}
		q.receive(tag)
	}
	if !q.full("tag") {
		t.Error("not full")
	}
}
