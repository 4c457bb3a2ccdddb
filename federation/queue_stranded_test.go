package federation_test

import (
	"fmt"
	"testing"
	"time"

	"weir/link"
)

func TestOneSlowConsumerStrandsABatchAndNoMore(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 2000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 1, 200*time.Millisecond)
		most := 0
		for range 600 {
			w.after(100 * time.Millisecond)
			most = max(most, len(w.eu.Bodies("work")))
		}
		if most > 4 {
			w.Errorf("%d messages lay downstream before a consumer of 5 a second", most)
		}
		if n := done(worker); n < 290 {
			w.Errorf("%d messages were done in a minute, want nearly 300: it had to wait for work", n)
		}
		// It goes away: what is there stays there, shown.
		worker.stop()
		w.within(5*time.Second, "shut", func() bool { return g.is(fromUSLink, link.Shut) })
		before := len(w.us.Bodies("work"))
		w.after(10 * time.Second)
		s, left := g.status(fromUSLink), len(w.eu.Bodies("work"))
		if n := len(w.us.Bodies("work")); n != before || left > 4+1 {
			w.Errorf("%d upstream, then %d; %d stranded", before, n, left)
		}
		if want := fmt.Sprintf("%d ready downstream, no consumers", left); s.Reason != want || int(*s.Federation.Stranded) > left {
			w.Errorf("reason %q, want %q; stranded %d", s.Reason, want, *s.Federation.Stranded)
		}
	})
}

// A batch that was right for a fast consumer is all that is stranded when it stops working.
func TestAConsumerThatStopsWorkingStrandsABatchAndNoMore(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.us, 0, 10_000)
		g := w.gateway("eu", workFromUS)
		worker := w.worker(w.eu, 20, 500*time.Microsecond)
		w.within(time.Minute, "a part is done", func() bool { return done(worker) > 3000 })
		batch := 0
		w.within(time.Second, "a batch", func() bool { batch = *g.status(fromUSLink).Federation.Batch; return batch > 0 })
		worker.stop()
		w.eu.Consumers("work", 1) // one that takes nothing
		w.after(5 * time.Second)
		left := len(w.eu.Bodies("work"))
		if s := g.status(fromUSLink); left == 0 || left > batch+20 || s.State != link.Shut || int(*s.Federation.Stranded) > left {
			w.Errorf("%d lie downstream after a batch of %d and a prefetch of 20; status %+v, stranded %d", left, batch, s, *s.Federation.Stranded)
		}
	})
}
