package shovel_test

import (
	"strings"
	"testing"
	"time"

	"weir/broker/memory"
)

// Ensure that destinations that are silent do not hold up one that is back.
func TestADestinationIsTakenUpBesideSilentOnes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.eu.Declare("spare", memory.Queue{})
		w.us.Down(errRefused)
		w.ap.Down(errRefused)
		w.run(`
  three:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders}, {broker: eu, queue: spare}]
    reconnect-delay: {min: 100ms, max: 1s}
`)
		w.eu.Put("orders", "while both are away")
		w.within(10*time.Second, "it goes to the last", func() bool { return depth(w.eu, "spare") == 1 })
		w.us.Silent()
		w.after(2 * time.Second)
		w.ap.Up()
		w.after(2 * time.Second)
		w.eu.Put("orders", "while one is silent")
		w.within(time.Second, "it goes to the second", func() bool { return depth(w.ap, "orders") == 1 })
	})
}

// Ensure that the flow comes back to where it was before one that is silent is tried again.
func TestOneThatIsSilentDoesNotKeepTheOthersFromComingBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.us.Silent()
		w.run(pair)
		w.eu.Put("orders", "1")
		w.within(time.Minute, "it goes to the second", func() bool { return depth(w.ap, "orders") == 1 })
		for n := range 5 {
			w.after(time.Minute)
			w.ap.Cut()
			w.eu.Put("orders", "another")
			w.within(5*time.Second, "it is back", func() bool { return depth(w.ap, "orders") == n+2 })
		}
		w.us.Up()
		w.within(time.Minute, "the first is taken up again", func() bool { return strings.HasPrefix(w.status().Route, "us ") })
	})
}
