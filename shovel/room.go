package shovel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// room watches how full a destination is. It is full at stop ready messages, and has room again when no more than
// resume have been ready for as long as hold. What is not known yet has no room.
type room struct {
	watch  watch
	stop   int64
	resume int64
	hold   time.Duration // "for"
	log    *slog.Logger
	budget *budget

	mu     sync.Mutex
	known  bool
	full   bool
	below  time.Time // since when it has been at resume or below while full; zero: it is not
	ready  int64
	looked time.Time // the last time
	unread error     // why the depth could not be read, nil if it was
}

// free is empty while the destination has room, and otherwise says why it has none.
func (r *room) free() (why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.known && r.unread != nil:
		return fmt.Sprintf("room not known: %v", r.unread)
	case !r.known:
		return "room not known yet"
	case r.full:
		return fmt.Sprintf("no room: ready %d, resumes at %d", r.ready, r.resume)
	}
	return ""
}

// run looks again and again until ctx ends, and tells when there is room or none any more.
func (r *room) run(ctx context.Context, changed func()) {
	for r.budget.pause(ctx, watchEvery) {
		before := r.free()
		r.look(ctx)
		if (before == "") != (r.free() == "") {
			changed()
		}
	}
}

// unwatched: after so long without a look nobody knows what was meanwhile, and it is judged as at first.
const unwatched = 10 * time.Second

// look reads the depth once. What is unknown changes nothing.
func (r *room) look(ctx context.Context) {
	depth, err := r.watch.read(ctx)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && r.unread == nil {
		r.log.Warn("room at destination cannot be read, the last reading stands", "watch", r.watch.String(), "error", err)
	}
	if depth.At.Sub(r.looked) > unwatched {
		r.known, r.full, r.below = false, false, time.Time{}
	}
	r.unread, r.looked = err, depth.At
	if !depth.Ready.Known {
		return
	}
	was := r.full
	r.known, r.ready = true, depth.Ready.N
	r.budget.set(max((r.stop-r.ready)/2, (r.stop-r.resume)/100, 1))
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
