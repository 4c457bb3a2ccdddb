package cli

import (
	"os"
	"runtime/debug"
)

// collectLess lets the heap grow to five times what is live between collections, unless GOGC says otherwise. Nearly all
// that weir allocates lives as long as a message is under way, and memory-limit bounds that; a sixth of the CPU of a
// forwarded message went into collecting a heap of a few MiB again and again.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
