package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// conn is one connection. It never comes back once it is lost; who uses it watches it.
type conn struct {
	nats *nats.Conn
	js   jetstream.JetStream
	node string        // where it leads, host and port; empty: in this process
	lost chan struct{} // closed when the connection is, and its watchers have been told

	mu       sync.Mutex
	cause    error // why it is lost
	watchers map[*watcher]struct{}
	users    int // kept by the pool
}

// watcher is called with what happens to a connection. The calls come one at a time and must not block.
type watcher struct {
	// lost: the connection has ended, by watch itself if it has before.
	lost func(err error)
	// refused: the server has denied the use of a subject. NATS tells so on the side, and never answers what was sent.
	refused func(subject string, err error)
}

func newConn() *conn {
	return &conn{lost: make(chan struct{}), watchers: map[*watcher]struct{}{}}
}

func (c *conn) use(nc *nats.Conn, domain string) (err error) {
	c.nats = nc
	if domain != "" {
		c.js, err = jetstream.NewWithDomain(nc, domain)
	} else {
		c.js, err = jetstream.New(nc)
	}
	return err
}

// watch registers w until stop is called.
func (c *conn) watch(w *watcher) (stop func()) {
	c.mu.Lock()
	cause := c.cause
	c.watchers[w] = struct{}{}
	c.mu.Unlock()
	if cause != nil && w.lost != nil {
		w.lost(cause)
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, w)
	}
}

func (c *conn) each(call func(*watcher)) {
	c.mu.Lock()
	all := make([]*watcher, 0, len(c.watchers))
	for w := range c.watchers {
		all = append(all, w)
	}
	c.mu.Unlock()
	for _, w := range all {
		call(w)
	}
}

func (c *conn) onClosed(nc *nats.Conn) {
	err := nc.LastError()
	if err == nil {
		err = nats.ErrConnectionClosed
	}
	c.mu.Lock()
	c.cause = lost(classify(err))
	c.mu.Unlock()
	c.each(func(w *watcher) {
		if w.lost != nil {
			w.lost(c.cause)
		}
	})
	close(c.lost)
}

func (c *conn) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return // what ends the connection comes to onClosed as well
	}
	subject := quoted(err.Error())
	c.each(func(w *watcher) {
		if w.refused != nil {
			w.refused(subject, classify(err))
		}
	})
}

// quoted is what stands in quotes: in the text of a violation, the subject, which the server says nowhere else.
func quoted(text string) string {
	_, text, _ = strings.Cut(text, `"`)
	text, _, _ = strings.Cut(text, `"`)
	if s, err := strconv.Unquote(`"` + text + `"`); err == nil {
		return s
	}
	return text
}

// dead reports whether the connection is lost, maybe before its watchers have been told.
func (c *conn) dead() bool { return c.nats.IsClosed() }

// close ends the connection and waits until everybody has been told.
func (c *conn) close() {
	c.nats.Close()
	<-c.lost
}

// apiPatience is how long an answer of the JetStream API may take. A server that has no say in the matter, or no leader to
// ask, leaves it to others to answer, and sometimes nobody does.
const apiPatience = 10 * time.Second

var errNoAnswer = fmt.Errorf("JetStream does not answer: %w", context.DeadlineExceeded)

// call runs a request to the JetStream API, or a write to a bucket. resource is a part of its subject, by which a refusal is
// known as one of this request: without it, a missing permission would look like a server that does not answer.
func (c *conn) call(ctx context.Context, resource string, request func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := c.watch(&watcher{
		lost: func(err error) { cancel(err) },
		refused: func(subject string, err error) {
			if strings.HasPrefix(subject, nats.InboxPrefix) || strings.HasPrefix(subject, "$KV."+resource+".") ||
				strings.Contains(subject, ".API.") && strings.Contains(subject, resource) {
				cancel(err)
			}
		},
	})
	defer stop()
	ctx, end := context.WithTimeoutCause(ctx, apiPatience, errNoAnswer)
	defer end()
	err := request(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("nobody answers for JetStream; is it enabled? %w", err)
	case errors.Is(err, context.DeadlineExceeded): // a request within this one has waited long enough
		return errNoAnswer
	}
	return classify(err)
}

// lost makes an error that says the session is over.
func lost(err error) error {
	if errors.Is(err, broker.ErrLost) {
		return err
	}
	return fmt.Errorf("%w: %w", broker.ErrLost, err)
}
