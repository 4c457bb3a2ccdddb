package admin

import (
	"encoding/json"
	"net/http"
	"time"
)

const (
	// maxWatchers bounds the pages that are followed live at one time.
	maxWatchers = 32
	eventEvery  = time.Second
	// eventPatience is how long a watcher may take to accept an event.
	eventPatience = 10 * time.Second
)

// events sends a Snapshot each second as server-sent events, until the caller leaves or the server ends. The page reads
// them with fetch rather than EventSource, which cannot send an Authorization header.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	select {
	case a.watchers <- struct{}{}:
		defer func() { <-a.watchers }()
	default:
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "too many pages follow this weir already; close one, or ask /api/snapshot")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait for more
	connection := http.NewResponseController(w)
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for {
		// A watcher that does not read must not hold up the end of the server.
		_ = connection.SetWriteDeadline(time.Now().Add(eventPatience))
		if err := a.event(w, r); err != nil {
			return
		}
		if err := connection.Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		case <-a.ended:
			return
		}
	}
}

func (a *api) event(w http.ResponseWriter, r *http.Request) error {
	data, err := json.Marshal(a.snapshot(a.writes(r)))
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte("event: snapshot\ndata: "), data...), "\n\n"...))
	return err
}
