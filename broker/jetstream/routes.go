package jetstream

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// routes know which stream stores what a sink publishes, and whether anybody will get it. What they remember is enough
// to publish what somebody wants; before anything is called unroutable, decide asks anew.
type routes struct {
	b     *Broker
	known []*route // the last one used first
}

// route is one stream as a destination.
type route struct {
	stream   string
	subjects []string
	expect   []byte // see readAnswer
	// listeners are those of an interest stream, which drops what none of them wants. nil: the stream keeps everything.
	listeners *listeners
}

// add remembers a stream.
func (r *routes) add(info *jetstream.StreamInfo) (*route, error) {
	c := info.Config
	if c.NoAck {
		return nil, fmt.Errorf("stream %s never confirms (no_ack): %w", c.Name, broker.ErrUnsupported)
	}
	to := &route{stream: c.Name, subjects: c.Subjects, expect: expected(c.Name)}
	// Where a stream transforms subjects, its consumers match what comes out, which is the stream's business.
	if c.Retention == jetstream.InterestPolicy && c.SubjectTransform == nil {
		to.listeners = r.b.listenersOf(c.Name)
	}
	r.known = append(r.known, to)
	return to, nil
}

// to returns the stream that stores what is published to subject, nil if none is known.
func (r *routes) to(subject string) *route {
	for i, to := range r.known {
		if slices.ContainsFunc(to.subjects, func(s string) bool { return matches(s, subject) }) {
			r.known[0], r.known[i] = to, r.known[0]
			return to
		}
	}
	return nil
}

// forget drops the stream that is known for subject: it is not what it was.
func (r *routes) forget(subject string) {
	if to := r.to(subject); to != nil {
		r.known = slices.DeleteFunc(r.known, func(other *route) bool { return other == to })
	}
}

// open returns where to publish at once, nil if that needs to be asked.
func (r *routes) open(subject string) *route {
	to := r.to(subject)
	if to == nil || to.listeners == nil {
		return to
	}
	if a := to.listeners.last(); a != nil && a.wants(subject) {
		return to
	}
	return nil
}

// inquiry is one round of questions about messages that have all been sent before it began.
type inquiry struct {
	b         *Broker
	streams   map[string]*jetstream.StreamInfo // by subject; nil: no stream stores it
	audiences map[*listeners]*audience
}

func (b *Broker) inquire() *inquiry {
	return &inquiry{b: b, streams: map[string]*jetstream.StreamInfo{}, audiences: map[*listeners]*audience{}}
}

// stream asks which stream stores subject; nil if none does.
func (q *inquiry) stream(ctx context.Context, subject string) (*jetstream.StreamInfo, error) {
	info, asked := q.streams[subject]
	if asked {
		return info, nil
	}
	info, err := q.b.capturing(ctx, subject)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	q.streams[subject] = info
	return info, nil
}

// wanted asks whether anybody gets what is published to subject.
func (q *inquiry) wanted(ctx context.Context, to *route, subject string) (bool, error) {
	if to.listeners == nil {
		return true, nil
	}
	a := q.audiences[to.listeners]
	if a == nil {
		var err error
		if a, err = to.listeners.now(ctx); err != nil {
			return false, err
		}
		q.audiences[to.listeners] = a
	}
	return a.wants(subject), nil
}
