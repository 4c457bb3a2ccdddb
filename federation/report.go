package federation

import (
	"errors"
	"time"

	"weir/broker"
	"weir/link"
)

// errNotYet is why a buffer does not exist right after the start.
var errNotYet = errors.New("the bindings downstream have not been read yet")

// report is what a mirror tells of itself.
type report struct {
	bindings int
	equalAt  time.Time // since when they are equal; zero: not
	why      error     // why the buffer is not as it should be
	lasting  error     // what it can never be
	since    time.Time
	nextTry  time.Time
	attempt  int
	opens    int
}

// equal notes that the bindings are those of the downstream, but for some that are kept until it is known that nobody wants
// them.
func (m *mirror) equal(n, added, removed, kept int) {
	m.mu.Lock()
	failed := m.attempt > 0
	m.stale = kept > 0
	switch {
	case m.stale:
		m.equalAt = time.Time{}
	case added+removed > 0 || m.equalAt.IsZero():
		m.equalAt = time.Now()
	}
	m.bindings, m.why, m.since, m.nextTry, m.attempt = n, nil, time.Time{}, time.Time{}, 0
	m.mu.Unlock()
	if failed {
		m.pair.log.Info("bindings are mirrored again", "bindings", n)
	}
	if added+removed > 0 {
		m.pair.log.Debug("bindings changed", "buffer", m.current, "bindings", n, "added", added, "removed", removed)
	}
}

// failed notes why they are not, and when the next try is.
func (m *mirror) failed(err error, delay time.Duration) {
	m.mu.Lock()
	now := time.Now()
	if m.attempt == 0 {
		m.since = now
	}
	m.attempt++
	m.why, m.equalAt, m.nextTry = err, time.Time{}, now.Add(delay)
	attempt := m.attempt
	m.mu.Unlock()
	m.pair.log.Warn("bindings are not mirrored", "broker", m.pair.from.name, "error", err, "attempt", attempt, "next-try", delay.Round(time.Millisecond))
}

// told notes what will not be right however often it is tried.
func (m *mirror) told(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lasting = err
}

// unmade is why the last try to make the buffer what it should be has failed; nil: it has not.
func (m *mirror) unmade() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attempt == 0 {
		return nil
	}
	return m.why
}

// opened notes that the link opens its source, and tells whether it has done so before.
func (m *mirror) opened() (again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens++
	return m.opens > 1
}

// describe adds to the status of the link. While the link waits for its buffer, what keeps that from existing is the
// state of the link.
func (m *mirror) describe(s *link.Status) {
	noticed := m.noticed()
	m.mu.Lock()
	defer m.mu.Unlock()
	bindings := m.bindings
	f := &link.FederationStatus{
		Policy:    m.pair.policy,
		Upstream:  m.pair.upstream.Name,
		Buffer:    m.base,
		Bindings:  &bindings,
		EqualAt:   m.equalAt,
		NoticedBy: noticed,
	}
	if m.reading != "" {
		f.Buffer = m.reading
	}
	s.Federation = f
	if m.why == nil {
		f.Problem = m.remark()
		return
	}
	f.Problem = m.why.Error()
	if m.reading != "" || s.State != link.Shut {
		return
	}
	s.State = link.Starting
	if m.attempt > 0 {
		s.State, s.LastError, s.ErrorAt, s.Attempt, s.NextTry = link.Retrying, f.Problem, m.since, m.attempt, m.nextTry
		if hopeless(m.why) {
			s.State = link.Denied
		}
	}
}

// remark is what an operator should know though nothing has failed. The caller holds mu.
func (m *mirror) remark() string {
	switch {
	case m.lasting != nil:
		return m.lasting.Error()
	case m.stale:
		return "bindings that are not known downstream stay until those there have been read again"
	}
	return ""
}

// trouble is why an operator must act at the upstream; nil: nothing, or it is tried again anyway.
func (m *mirror) trouble() *Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.why == nil || !hopeless(m.why) {
		return nil
	}
	return &Problem{Policy: m.pair.policy, Broker: m.pair.from.name, Text: m.why.Error(), Since: m.since, NextTry: m.nextTry}
}

// exchangeSpec makes the link of a federated exchange.
func exchangeSpec(m *mirror) link.Spec {
	p := m.pair
	s := p.spec()
	s.Source = link.Origin{
		Name:    p.from.name,
		Broker:  source{p.from.broker, m},
		At:      broker.Address{Queue: m.base, Exchange: p.upstreamExchange()},
		Options: broker.SourceOptions{Buffer: true},
	}
	s.Destination = exchangeTo{
		To:   link.To{Name: p.to.name, Broker: p.to.broker, At: broker.Address{Exchange: p.exchange.Name}},
		pair: p,
	}
	s.Gate, s.Describe = m, m.describe
	s.Heartbeat = p.upstream.HeartbeatInterval // not of a queue link: its source has consumers of its own
	// As a local publish that no binding matches.
	s.OnUnroutable = link.Recourse{Attempts: 1, Then: link.Drop}
	return s
}
