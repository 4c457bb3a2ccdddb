package federation_test

import (
	"testing"
	"time"
)

// Ensure that a downstream which did not answer for a while is watched as before when it does again.
func TestADownstreamThatWasSilentIsWatchedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.consumer(w.eu, "shop", "a")
		w.gateway("eu", fromUS).equal("us/exchanges/catalog", 1)
		w.eu.Silent()
		w.eu.Cut()
		w.after(30 * time.Second)
		w.eu.Up()
		w.eu.Bind("shop", "catalog", "b")
		w.within(time.Minute, "the binding is mirrored", func() bool { return len(w.boundAt(w.us, "catalog")) == 2 })
	})
}
