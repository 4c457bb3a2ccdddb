package federation_test

import (
	"fmt"
	"testing"
	"time"
)

func TestDbg(t *testing.T) {
	inQueues(t, func(w *world) {
		put(w.eu, 0, 3000)
		eu := w.gateway("eu", workFromUS)
		us := w.gateway("us", workFromEU)
		there := w.worker(w.us, 50, time.Millisecond)
		w.within(time.Minute, "a third is done in us", func() bool { return done(there) > 1000 })
		there.stop()
		here := w.worker(w.eu, 50, time.Millisecond)
		for range 20 {
			w.after(time.Second)
			fmt.Println(done(there), done(here), len(w.eu.Bodies("work")), len(w.us.Bodies("work")), len(here.Unacked()))
			fmt.Printf("  eu %+v %+v\n", eu.status(fromUSLink), *eu.status(fromUSLink).Federation.Batch)
			fmt.Printf("  us %+v\n", us.status(fromEULink))
		}
	})
}
