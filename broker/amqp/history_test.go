package amqp

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowly answers with the number of requests so far as the number of ready messages, after a while.
type slowly struct {
	after time.Duration
	asked int
}

// RoundTrip implements http.RoundTripper.
func (s *slowly) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked++
	body := fmt.Sprintf(`{"messages_ready":%d}`, s.asked)
	time.Sleep(s.after)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// Ensure a slow management API is waited for only where nothing it has said is good enough.
func TestHistoryWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 700 * time.Millisecond
		m := newManagement(Config{
			Management:  Management{URIs: []string{"http://api"}},
			Credentials: func() (string, string, error) { return "user", "secret", nil },
		})
		m.client.Transport = &slowly{after: slow}
		p := newPool(nil, 1)
		var h history
		read := func(what string, want int64, wait time.Duration) {
			t.Helper()
			began := time.Now()
			q, err := h.read(t.Context(), p, m, "/", "orders")
			if err != nil || *q.Ready != want || time.Since(began) != wait {
				t.Errorf("%s: %d ready after %v, %v; want %d after %v", what, *q.Ready, time.Since(began), err, want, wait)
			}
		}
		read("first", 1, slow)
		read("at once again", 1, 0)
		time.Sleep(readEvery)
		read("a little later", 1, 0)
		read("while it is asked", 1, 0)
		time.Sleep(slow)
		synctest.Wait()
		read("when it has answered", 2, 0)
		time.Sleep(stale)
		read("much later", 3, slow)
		p.close()
	})
}
