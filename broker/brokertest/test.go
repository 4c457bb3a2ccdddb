package brokertest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/broker"
)

// site is the site of every session the suite opens.
const site = "brokertest"

// test is one running test of the suite: its rig, and the steps that behaviours are written in.
type test struct {
	*testing.T
	*Rig
	quiet, timeout time.Duration
}

// ownName is a name that no other test of a package uses.
func (t *test) ownName() string { return strings.ReplaceAll(t.Name(), "/", "-") }

// within is a context for something that must happen.
func (t *test) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	t.Cleanup(cancel)
	return ctx
}

func (t *test) source(at broker.Address, window int) broker.Source {
	t.Helper()
	s, err := t.Broker.OpenSource(t.within(), at, broker.SourceOptions{Link: "link", Site: site, Window: window, Predeclared: true})
	if err != nil {
		t.Fatalf("OpenSource %v: %v", at, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (t *test) sink(at broker.Address) broker.Sink {
	t.Helper()
	s, err := t.Broker.OpenSink(t.within(), at, broker.SinkOptions{Link: "link", Site: site, Predeclared: true})
	if err != nil {
		t.Fatalf("OpenSink %v: %v", at, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send sends without waiting for any answer.
func (t *test) send(s broker.Sink, ms ...*broker.Message) []broker.Confirm {
	t.Helper()
	confirms := make([]broker.Confirm, len(ms))
	for i, m := range ms {
		c, err := s.Send(t.within(), m)
		if err != nil {
			t.Fatalf("Send message %d of %d: %v", i+1, len(ms), err)
		}
		confirms[i] = c
	}
	return confirms
}

// answer waits for a Confirm.
func (t *test) answer(c broker.Confirm) error {
	t.Helper()
	t.closed(c.Done(), "an answer to a Send")
	return c.Err()
}

// pending asserts that no answer has come.
func (t *test) pending(confirms []broker.Confirm) {
	t.Helper()
	for i, c := range confirms {
		if err := c.Err(); !errors.Is(err, broker.ErrPending) {
			t.Errorf("message %d of %d: got %v, want ErrPending", i+1, len(confirms), err)
		}
		select {
		case <-c.Done():
			t.Errorf("message %d of %d: Done is closed, want it pending", i+1, len(confirms))
		default:
		}
	}
}

func (t *test) confirmed(confirms []broker.Confirm) {
	t.Helper()
	for i, c := range confirms {
		if err := t.answer(c); err != nil {
			t.Fatalf("message %d of %d: got %v, want it confirmed", i+1, len(confirms), err)
		}
	}
}

// publish stores messages in q behind the driver's back where the harness can.
func (t *test) publish(q Queue, ms ...*broker.Message) {
	t.Helper()
	if t.Publish != nil {
		t.Publish(q, ms...)
		return
	}
	s := t.sink(q.Sink)
	t.confirmed(t.send(s, ms...))
	if err := s.Close(); err != nil {
		t.Fatalf("close the sink: %v", err)
	}
}

// take removes n ready messages behind the driver's back where the harness can.
func (t *test) take(q Queue, n int) []*broker.Message {
	t.Helper()
	if t.Take != nil {
		return t.Take(q, n)
	}
	s := t.source(q.Source, n)
	ms := t.receive(s, n)
	if n > 0 {
		t.ack(s, ms[n-1])
	}
	t.shut(s)
	return ms
}

// receive waits for the next n messages.
func (t *test) receive(s broker.Source, n int) []*broker.Message {
	t.Helper()
	ms := make([]*broker.Message, n)
	for i := range ms {
		m, err := s.Receive(t.within())
		if err != nil {
			t.Fatalf("Receive message %d of %d: %v", i+1, n, err)
		}
		ms[i] = m
	}
	return ms
}

// nothing asserts that nothing more arrives.
func (t *test) nothing(s broker.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), t.quiet)
	defer cancel()
	switch m, err := s.Receive(ctx); {
	case err == nil:
		t.Fatalf("received %q, want nothing more", brief(m.Body))
	case !errors.Is(err, context.DeadlineExceeded):
		t.Fatalf("Receive: got error %v, want that of its context", err)
	}
}

// received is what a Receive returned.
type received struct {
	message *broker.Message
	err     error
}

// later begins a Receive from an empty queue, and returns once it has had the time to wait.
func (t *test) later(ctx context.Context, s broker.Source) <-chan received {
	t.Helper()
	got := make(chan received, 1)
	go func() {
		m, err := s.Receive(ctx)
		got <- received{m, err}
	}()
	select {
	case r := <-got:
		t.Fatalf("Receive from an empty queue: got %v, %v, want it to wait", r.message, r.err)
	case <-time.After(t.quiet):
	}
	return got
}

// result waits for a Receive.
func (t *test) result(got <-chan received) received {
	t.Helper()
	select {
	case r := <-got:
		if !errors.Is(r.err, context.DeadlineExceeded) {
			return r
		}
	case <-t.within().Done():
	}
	t.Fatalf("Receive has not returned within %v", t.timeout)
	return received{}
}

func (t *test) ack(s broker.Source, last *broker.Message) {
	t.Helper()
	if err := s.Ack(last); err != nil {
		t.Fatalf("Ack %q: %v", brief(last.Body), err)
	}
}

func (t *test) settle(s broker.Source, m *broker.Message, how broker.Settlement) {
	t.Helper()
	if err := s.Settle(m, how); err != nil {
		t.Fatalf("Settle %q: %v", brief(m.Body), err)
	}
}

// shut closes a source. Closing is how acks that are on their way get there, too.
func (t *test) shut(s broker.Source) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close the source: %v", err)
	}
}

func (t *test) closed(c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-t.within().Done():
		t.Fatalf("no %s within %v", what, t.timeout)
	}
}

// eventually asks again until problem is empty.
func (t *test) eventually(problem func() string) {
	t.Helper()
	deadline := t.within()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		p := problem()
		if p == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			t.Fatalf("still not so after %v: %s", t.timeout, p)
		}
	}
}

// bodies asserts what messages say, in order.
func (t *test) bodies(got []*broker.Message, want ...string) {
	t.Helper()
	var have []string
	for _, m := range got {
		have = append(have, string(m.Body))
	}
	if d := diff(want, have); d != "" {
		t.Fatalf("messages differ (-want +got):\n%s", d)
	}
}

// texts makes a message of each text.
func texts(bodies ...string) []*broker.Message {
	ms := make([]*broker.Message, len(bodies))
	for i, body := range bodies {
		ms[i] = &broker.Message{Body: []byte(body), Properties: broker.Properties{DeliveryMode: 2}}
	}
	return ms
}

// numbers returns the texts from to to, in order.
func numbers(from, to int) []string {
	var ns []string
	for n := from; n <= to; n++ {
		ns = append(ns, strconv.Itoa(n))
	}
	return ns
}
