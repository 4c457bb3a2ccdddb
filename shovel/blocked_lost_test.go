package shovel_test

import (
	"testing"
	"time"
)

// What a destination that was passed over had not confirmed follows behind newer messages when it is lost.
func TestWhatABlockedDestinationLosesComesLaterToTheNext(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Latency(time.Minute)
		w.run(pair)
		w.eu.Put("orders", "1", "2")
		w.within(time.Second, "they are on their way", func() bool { return w.status().InFlight == 2 })
		w.us.Block("memory alarm")
		w.eu.Put("orders", "3", "4")
		w.within(time.Second, "newer ones go to the next", func() bool { return depth(w.ap, "orders") == 2 })
		w.us.Down(errRefused)
		w.us.Cut()
		w.within(time.Minute, "the others follow", func() bool { return depth(w.ap, "orders") == 4 })
		same(t, "in ap", w.ap.Bodies("orders"), []string{"3", "4", "1", "2"})
	})
}
