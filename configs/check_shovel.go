package configs

import "time"

func (c *checker) shovel(at path, s Shovel) {
	c.checkName(at, s.Name)
	c.source(at.key("source"), s.Source)
	if to := at.key("destinations"); len(s.Destinations) == 0 {
		c.mistake(to, "is empty; list at least one destination")
	}
	for i, d := range s.Destinations {
		c.destination(at.key("destinations").index(i), s, d)
	}
	if s.Overflow != nil {
		c.overflow(at.key("overflow"), *s.Overflow)
		c.overflowShovel(at, s)
	}
	c.fallback(at.key("on-refused"), s.OnRefused)
	c.fallback(at.key("on-unroutable"), s.OnUnroutable)
	c.deleteAfter(at, s)
	c.linkSettings(at, s.LinkSettings)
	c.heartbeat(at, s.LinkSettings, c.shovelHeard(s))
}

// fallback checks that dead letters have a place to go, and only they.
func (c *checker) fallback(at path, f Fallback) {
	key := at.key("dead-letter")
	switch {
	case f.Then == ThenDeadLetter && f.DeadLetter == nil:
		c.mistake(key, "missing; then: dead-letter needs {broker, exchange, routing-key}")
	case f.Then != ThenDeadLetter && f.DeadLetter != nil:
		c.mistake(key, "is not used; write then: dead-letter")
	}
	if f.DeadLetter == nil {
		return
	}
	if c.has(key.key("broker")) {
		c.checkBroker(key.key("broker"), f.DeadLetter.Broker)
	}
	if f.DeadLetter.Exchange == "" {
		c.mistake(key.key("exchange"), "is empty; name an exchange")
	}
}

// deleteAfter checks what RabbitMQ checks, and that such a shovel can end.
func (c *checker) deleteAfter(at path, s Shovel) {
	key, inSource := at.key("delete-after"), at.key("source").key("delete-after")
	if c.has(key) && c.has(inSource) {
		c.mistake(inSource, "%s is there already; write one of the two", key)
	}
	if c.has(inSource) {
		key = inSource
	}
	switch {
	case s.DeleteAfter == DeleteNever:
	case s.Overflow != nil:
		c.mistake(key, "an overflow shovel does not end; remove the key or overflow")
	case s.DeleteAfter == DeleteQueueLength && s.Source.Exchange != "":
		c.mistake(key, "queue-length needs a queue as its source; the queue behind an exchange starts empty")
	case s.DeleteAfter > 0 && s.AckMode == NoAck:
		c.mistake(key, "a number cannot be counted with ack-mode: no-ack; use on-confirm")
	}
}

// consumerTimeout is after how long RabbitMQ closes the channel of a consumer that does not ack.
const consumerTimeout = 30 * time.Minute

func (c *checker) linkSettings(at path, l LinkSettings) {
	if delay := at.key("reconnect-delay"); c.has(delay) && l.ReconnectDelay.Min > l.ReconnectDelay.Max {
		c.mistake(delay, "min (%s) is above max (%s)", Brief(l.ReconnectDelay.Min), Brief(l.ReconnectDelay.Max))
	}
	if key := at.key("heartbeat-interval"); c.has(key) && l.HeartbeatInterval != 0 && l.HeartbeatInterval < shortestHeartbeat {
		c.mistake(key, "must be at least %s, or 0s for none", Brief(shortestHeartbeat))
	}
	if !c.hasAny(at, "hold-limit", "confirm-timeout") {
		return
	}
	if hold := at.key("hold-limit"); c.has(hold) && l.HoldLimit >= consumerTimeout {
		c.warn(hold, "RabbitMQ closes a channel that holds messages for %s, unless its consumer_timeout is longer",
			Brief(consumerTimeout))
	}
	if l.ConfirmTimeout >= l.HoldLimit {
		key := at.key("confirm-timeout")
		if !c.has(key) {
			key = at.key("hold-limit")
		}
		c.mistake(key, "confirm-timeout (%s) must be below hold-limit (%s)", Brief(l.ConfirmTimeout), Brief(l.HoldLimit))
	}
}
