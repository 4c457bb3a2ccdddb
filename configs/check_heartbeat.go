package configs

import "time"

// shortestHeartbeat: a shorter interval would tell nothing more, and load the broker.
const shortestHeartbeat = time.Second

// shovelHeard says who else than the link would get its heartbeats, as far as the file tells; empty: nobody.
func (c *checker) shovelHeard(s Shovel) string {
	from := s.Source
	switch {
	case s.Overflow != nil:
		return "the source of an overflow shovel has other consumers"
	case from.Stream != "", from.Subject != "", from.Consumer != "", from.Exchange != "" && c.isNATS(from.Broker),
		from.QueueArgs["x-queue-type"] == "stream", from.ConsumerArgs["x-stream-offset"] != nil:
		return "the source is a stream, which others may read"
	}
	return ""
}

// upstreamHeard is the same for an exchange that is federated from a broker. Federated queues are never asked for
// heartbeats.
func (c *checker) upstreamHeard(broker string) string {
	if c.isNATS(broker) {
		return "exchanges of a NATS broker are streams, which others may read"
	}
	return ""
}

func (c *checker) isNATS(broker string) bool {
	t := c.cfg.Brokers[broker].Type
	return t == NATS || t == Embedded
}

// resolveHeartbeat keeps a default from where heartbeats would be heard by others.
func (c *checker) resolveHeartbeat(at path, l *LinkSettings, heard string) {
	if heard != "" && !c.has(at.key("heartbeat-interval")) {
		l.HeartbeatInterval = 0
	}
}

func (c *checker) heartbeat(at path, l LinkSettings, heard string) {
	if key := at.key("heartbeat-interval"); heard != "" && l.HeartbeatInterval > 0 && c.has(key) {
		c.mistake(key, "%s: they would get the heartbeats; remove it", heard)
	}
}
