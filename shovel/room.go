package shovel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// room watches how full a destination is. It is full at Stop ready messages, and has room again when no more than
// Resume have been ready for as long as For.
type room struct {
	watch  Watch
	stop   int64
	resume int64
	hold   time.Duration
	log    *slog.Logger

	mu    sync.Mutex
	known bool
	full  bool
	below time.Time // since when it has been at resume or below; zero: it is not
	ready int64
}

// free tells whether the destination has room, and why not.
func (r *room) free() (why string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.known:
		return "room not known yet", false
	case r.full:
		return fmt.Sprintf("no room: %d ready, resumes at %d", r.ready, r.resume), false
	}
	return "", true
}

// look reads the depth once. What is unknown changes nothing.
func (r *room) look(ctx context.Context) {
	depth, err := r.watch.read(ctx)
	if err != nil || !depth.Ready.Known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.full
	r.known, r.ready = true, depth.Ready.N
	switch {
	case r.ready >= r.stop:
		r.full, r.below = true, time.Time{}
	case r.ready > r.resume:
		r.below = time.Time{}
	case r.full:
		if r.below.IsZero() {
			r.below = depth.At
		}
		r.full = depth.At.Sub(r.below) < r.hold
	}
	if r.full != was {
		r.log.Info("room at destination changed", "watch", r.watch.String(), "full", r.full, "ready", r.ready,
			"stop", r.stop, "resume", r.resume)
	}
}
