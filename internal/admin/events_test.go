package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/admin"
	"weir/link"
)

// follower reads the live feed.
type follower struct {
	status int
	lines  *bufio.Reader
	leave  func()
}

func (r *rig) follow() *follower {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.http+"/api/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	f := &follower{status: response.StatusCode, lines: bufio.NewReader(response.Body), leave: func() {
		cancel()
		_ = response.Body.Close()
	}}
	r.t.Cleanup(f.leave)
	return f
}

// next is the next snapshot.
func (f *follower) next(t *testing.T) (s admin.Snapshot) {
	t.Helper()
	for {
		line, err := f.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &s); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
}

// The feed tells what has changed, in one snapshot a second.
func TestEvents(t *testing.T) {
	r := newRig(t, "")
	f := r.follow()
	if s := f.next(t); len(s.Links) != 2 || s.Site != "eu" || s.Local != "eu" || len(s.Brokers) != 4 || s.Writes != admin.WritesOff {
		t.Errorf("first: %+v", s)
	}
	if _, err := r.client.Pause(t.Context(), "orders", "new release"); err != nil {
		t.Fatal(err)
	}
	for {
		s := f.next(t)
		if s.Links[1].State == link.Paused {
			if s.Verdict.Level != admin.Attention && s.Verdict.Level != admin.Down || s.Links[1].Level != admin.Attention {
				t.Errorf("paused: %+v", s.Verdict)
			}
			return
		}
	}
}

// So many may follow, and no more; who leaves makes room.
func TestEventsAreBounded(t *testing.T) {
	r := newRig(t, "")
	var first *follower
	for range 32 {
		f := r.follow()
		if f.status != http.StatusOK {
			t.Fatalf("status %d", f.status)
		}
		if first == nil {
			first = f
		}
	}
	status, answer := r.ask("GET", "/api/events", "")
	expectFailure(t, "one more", status, answer, 503, "too many pages follow this weir already; close one, or ask /api/snapshot")
	first.leave()
	eventually(t, "there is room again", func() bool {
		f := r.follow()
		defer f.leave()
		return f.status == http.StatusOK
	})
}

// The end of the server ends the feed at once, and the server does not wait for those who follow.
func TestEventsEndWithTheServer(t *testing.T) {
	r := newRig(t, "")
	f := r.follow()
	f.next(t)
	done := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, f.lines)
		done <- err
	}()
	r.close()
	if err := <-done; err != nil {
		t.Errorf("the feed ended with %v", err)
	}
}
