package shovel

import (
	"time"

	"weir/broker"
	"weir/link"
)

// Headers that RabbitMQ's shovel plugin writes (rabbit_shovel_util, rabbit_amqp091_shovel).
const (
	shovelledHeader = "x-shovelled"
	timestampHeader = "x-shovelled-timestamp"
	dynamicShovel   = "dynamic"
)

// stamp is what a shovel changes on a message. Everything else crosses as it came.
type stamp struct {
	hop            bool // record it in x-received-from
	forwardHeaders bool // add-forward-headers
	timestamp      bool // add-timestamp-header
	trustUserID    bool
	emptyKey       bool                       // routing-key: "" is declared, which an Address cannot tell from none
	properties     []func(*broker.Properties) // publish-properties
	shovel, site   string
	source, dest   broker.Address
	from, to       broker.Identity // of both brokers, where hop or forwardHeaders needs them
}

// apply returns m as it is to be published; m itself is not changed.
func (s *stamp) apply(m *broker.Message) *broker.Message {
	if !s.changes(m) {
		return m
	}
	out := *m
	if !s.trustUserID {
		// A broker refuses a user-id that is not the connection's own.
		out.Properties.UserID = ""
	}
	for _, set := range s.properties {
		set(&out.Properties)
	}
	if s.emptyKey {
		out.RoutingKey = ""
	}
	if s.hop {
		hop := link.Hop{Left: s.from, Exchange: s.source.Exchange, Redelivered: m.Redelivered, At: time.Now()}
		if hop.Exchange == "" {
			hop.Queue = s.source.Queue
		}
		out.Headers = link.WithHop(out.Headers, hop)
	}
	if s.forwardHeaders {
		out.Headers = link.WithFirst(out.Headers, shovelledHeader, s.shovelled())
	}
	if s.timestamp {
		out.Headers = out.Headers.With(timestampHeader, time.Now().Unix())
	}
	return &out
}

// changes tells whether anything is to be changed on m.
func (s *stamp) changes(m *broker.Message) bool {
	return s.hop || s.forwardHeaders || s.timestamp || s.emptyKey || len(s.properties) > 0 ||
		!s.trustUserID && m.Properties.UserID != ""
}

// shovelled is the plugin's entry, field by field; all values are strings.
func (s *stamp) shovelled() broker.Table {
	t := broker.Table{
		"shovelled-by": s.site,
		"shovel-type":  dynamicShovel,
		"shovel-name":  s.shovel,
		"shovel-vhost": s.from.VHost,
		"src-uri":      s.from.URI,
		"dest-uri":     s.to.URI,
	}
	set := func(key, value string) {
		if value != "" {
			t[key] = value
		}
	}
	if s.source.Exchange != "" {
		t["src-exchange"], t["src-exchange-key"] = s.source.Exchange, s.source.RoutingKey
	} else {
		set("src-queue", s.source.Queue)
	}
	set("dest-exchange", s.dest.Exchange)
	if set("dest-exchange-key", s.dest.RoutingKey); s.emptyKey {
		t["dest-exchange-key"] = ""
	}
	set("dest-queue", s.dest.Queue)
	return t
}
