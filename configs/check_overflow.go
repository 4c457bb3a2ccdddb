package configs

import "slices"

// overflow checks the thresholds: between start and stop there must be room, or the gate would flap.
func (c *checker) overflow(at path, o Overflow) {
	if !c.hasAny(at, "messages-ready", "oldest-message", "consumers-below") {
		c.mistake(at, "has no threshold; write messages-ready, oldest-message or consumers-below")
	}
	if t := o.MessagesReady; t != nil && t.Stop >= t.Start {
		c.mistake(at.key("messages-ready").key("stop"), "%d is not below start (%d)", t.Stop, t.Start)
	}
	if t := o.ConsumersBelow; t != nil && t.Stop < t.Start {
		c.mistake(at.key("consumers-below").key("stop"),
			"%d is below start (%d); it opens below start and shuts at stop", t.Stop, t.Start)
	}
	if t := o.OldestMessage; t != nil {
		if t.Stop >= t.Start {
			c.mistake(at.key("oldest-message").key("stop"), "%s is not below start (%s)", Brief(t.Stop), Brief(t.Start))
		}
		if c.unmanaged(o.Watch.Broker) {
			c.mistake(at.key("oldest-message"),
				"needs management: on broker %s; RabbitMQ does not tell the age of messages otherwise", o.Watch.Broker)
		}
	}
	c.watch(at.key("watch"), o.Watch)
}

// overflowShovel checks what an overflow shovel must and should have.
func (c *checker) overflowShovel(at path, s Shovel) {
	if s.AckMode != OnConfirm {
		c.mistake(at.key("ack-mode"), "%s may lose messages, which overflow must not; use on-confirm", s.AckMode)
	}
	c.prefetch(at.key("source").key("prefetch-count"), s)
	hasRoom := func(d Destination) bool { return d.Room != nil }
	if len(s.Destinations) > 0 && !slices.ContainsFunc(s.Destinations, hasRoom) {
		c.warn(at.key("destinations"),
			"none has room: what overflows here may flood them; write room: {messages-ready: {stop, resume}}")
	}
}

// prefetch warns of a window so large that it alone takes the queue from start to stop: what is prefetched is not ready
// any more, so the gate would shut as soon as it has opened.
func (c *checker) prefetch(at path, s Shovel) {
	t, w := s.Overflow.MessagesReady, s.Overflow.Watch
	itself := w.Broker == s.Source.Broker && w.Queue == s.Source.Queue && w.Stream == s.Source.Stream
	if t == nil || !itself || t.Stop >= t.Start || int64(s.Source.PrefetchCount) < t.Start-t.Stop {
		return
	}
	c.warn(at, "%d messages are taken at once, and between start and stop there are %d: the gate shuts when it has hardly opened; "+
		"lower it, or leave it out", s.Source.PrefetchCount, t.Start-t.Stop)
}

func (c *checker) room(at path, r Room) {
	c.watch(at.key("watch"), r.Watch)
	if r.Watch.Queue == "" && r.Watch.Stream == "" {
		c.mistake(at.key("watch"), "missing; name the queue that fills up")
	}
	if t := r.MessagesReady; t.Resume >= t.Stop {
		c.mistake(at.key("messages-ready").key("resume"), "%d is not below stop (%d)", t.Resume, t.Stop)
	}
}

// watch checks an address that is measured.
func (c *checker) watch(at path, w Watch) {
	if !c.has(at) {
		return
	}
	if c.has(at.key("broker")) {
		c.checkBroker(at.key("broker"), w.Broker)
	}
	c.natsWords(at, w.Broker, "stream", "consumer")
	c.atMostOneOf(at, "queue", "stream")
	if c.has(at.key("stream")) != c.has(at.key("consumer")) {
		c.mistake(at, "stream and consumer go together")
	}
}
