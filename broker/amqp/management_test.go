package amqp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
)

// Ensure paths are escaped, credentials are sent, and a queue is read.
func TestManagementQueue(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		username, password, _ := r.BasicAuth()
		if got, want := r.URL.EscapedPath()+" "+username+" "+password, "/prefix/api/queues/%2F/a%2Fb%20c user secret"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		fmt.Fprint(w, `{"type":"quorum","messages_ready":3,"messages_unacknowledged":2,"consumers":1,"arguments":[],
			"consumer_details":[{"consumer_tag":"weir: x"}],"message_stats":{"publish":9,"deliver_get":6,"ack":4},
			"effective_policy_definition":{"dead-letter-exchange":"dlx"}}`)
	})
	m.uris[0] += "/prefix/"
	q, err := m.queue(t.Context(), "/", "a/b c")
	check(t, err)
	if q.Type != "quorum" || *q.Ready != 3 || *q.Unacked != 2 || *q.Consumers != 1 || q.Stats.Ack != 4 || q.Policy["dead-letter-exchange"] != "dlx" {
		t.Errorf("%+v", q)
	}
	c := consumers{}
	if n, _ := c.elsewhere("a/b c", q); n != 1 {
		t.Errorf("%d consumers of other gateways, want 1", n)
	}
	c.add("a/b c", "weir: x")
	if n, _ := c.elsewhere("a/b c", q); n != 0 {
		t.Errorf("%d consumers of other gateways, want 0: it is our own", n)
	}
}

// Ensure answers become the errors that decide, that another node is asked where that may help, and that no error holds
// the password.
func TestManagementErrors(t *testing.T) {
	const most = 1000
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   error
		asked  int // of two nodes
	}{
		"401":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, broker.ErrDenied, 1},
		"403":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, broker.ErrDenied, 1},
		"404":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, broker.ErrNotFound, 1},
		"500":            {func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, nil, 2},
		"not JSON":       {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, nil, 2},
		"half an object": {func(w http.ResponseWriter) { fmt.Fprint(w, `{"type":"quorum",`) }, nil, 2},
		"half an answer": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"type":"quorum"}`)
		}, nil, 2},
		"endless": {func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"type":"` + strings.Repeat("x", most) + `"}`))
		}, nil, 2},
		"redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://elsewhere.example/")
			w.WriteHeader(http.StatusFound)
		}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			m := serve(t, func(w http.ResponseWriter, _ *http.Request) { asked++; c.answer(w) })
			m.uris, m.most = append(m.uris, m.uris[0]), most
			_, err := m.queue(t.Context(), "/", "q")
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if asked != c.asked {
				t.Errorf("%d nodes were asked, want %d", asked, c.asked)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("%v holds the password", err)
			}
		})
	}
}

// Ensure the next node is asked when one does not answer, and that a password in a URI by mistake does not show.
func TestManagementFailover(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"type":"classic"}`) })
	dead := "http://user:hidden@127.0.0.1:1"
	m.uris = []string{dead, m.uris[0]}
	q, err := m.queue(t.Context(), "/", "q")
	if err != nil || q.Type != "classic" {
		t.Errorf("%+v, %v", q, err)
	}
	m.uris = []string{dead}
	if _, err := m.queue(t.Context(), "/", "q"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

// Ensure a node that is silent, as one that is cut off or frozen, costs one request and not each.
func TestManagementSilence(t *testing.T) {
	var asked atomic.Int32
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"type":"classic"}`) })
	m.uris = []string{silent.URL, m.uris[0]}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.queue(ctx, "/", "q"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for range 3 {
		if _, err := m.queue(t.Context(), "/", "q"); err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the silent node was asked %d times, want once", n)
	}
}

// Ensure a management API over TLS is verified by what the broker's TLS settings trust, those in force now.
func TestManagementTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"type":"quorum"}`) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshakes that fail
	server.StartTLS()
	t.Cleanup(server.Close)
	trusting := x509.NewCertPool()
	trusting.AddCert(server.Certificate())
	var roots *x509.CertPool // of the system
	m := newManagement(Config{
		Management:  Management{URIs: []string{server.URL}},
		Credentials: func() (string, string, error) { return "user", "secret", nil },
		TLS:         func() (*tls.Config, error) { return &tls.Config{RootCAs: roots}, nil },
	})
	t.Cleanup(m.close)
	_, err := m.queue(t.Context(), "/", "q")
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	roots = trusting
	if q, err := m.queue(t.Context(), "/", "q"); err != nil || q.Type != "quorum" {
		t.Errorf("one that is trusted now: %+v, %v", q, err)
	}
}

// Ensure permissions are read as RabbitMQ reads them.
func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "orders", false}, {".*", "orders", true}, {"^orders$", "orders", true}, {"^orders$", "orders.eu", false},
		{"ord", "my orders", true}, {"(?<=x)y", "orders", true}, // not one for Go: the broker will tell
	} {
		if got := allows(c.pattern, c.name); got != c.want {
			t.Errorf("%q allows %q: %v", c.pattern, c.name, got)
		}
	}
	for _, c := range []struct {
		at      broker.Address
		as      broker.Role
		missing bool
		want    string
	}{
		{broker.Address{Queue: "q"}, broker.AsSource, false, "[{read q}]"},
		{broker.Address{Queue: "q"}, broker.AsSource, true, "[{configure q} {read q}]"},
		{broker.Address{Exchange: "x"}, broker.AsSource, false, "[{read x}]"},
		{broker.Address{Exchange: "x", Queue: "q"}, broker.AsSource, false, "[{read x} {configure q} {write q} {read q}]"},
		{broker.Address{Exchange: "x"}, broker.AsDestination, false, "[{write x}]"},
		{broker.Address{Queue: "q"}, broker.AsDestination, true, "[{configure q} {write amq.default}]"},
		{broker.Address{}, broker.AsDestination, false, "[]"},
	} {
		if got := fmt.Sprint(needs(c.at, c.as, c.missing)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.at, got, c.want)
		}
	}
}

func serve(t *testing.T, answer http.HandlerFunc) *management {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	m := newManagement(Config{Name: "test", Management: Management{
		URIs:        []string{server.URL},
		Credentials: func() (string, string, error) { return "user", "secret", nil },
	}})
	t.Cleanup(m.close)
	return m
}
