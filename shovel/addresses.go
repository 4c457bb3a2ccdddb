package shovel

import (
	"weir/broker"
	"weir/configs"
)

func sourceAddress(site string, s configs.Shovel) broker.Address {
	from := s.Source
	at := broker.Address{
		Queue:      from.Queue,
		Exchange:   from.Exchange,
		RoutingKey: from.RoutingKey,
		Stream:     from.Stream,
		Consumer:   from.Consumer,
		Subject:    from.Subject,
	}
	if from.Exchange != "" {
		// A durable queue, where the plugin's is exclusive and loses what comes while it is away.
		at.Queue = ExchangeQueue(site, s.Name)
	}
	return at
}

func destinationAddress(d configs.Destination) broker.Address {
	return broker.Address{Queue: d.Queue, Exchange: d.Exchange, RoutingKey: routingKey(d.RoutingKey), Subject: d.Subject}
}

// ExchangeQueue is the name of the queue through which a shovel reads an exchange.
func ExchangeQueue(site, name string) string { return "weir: shovel " + site + "/" + name }

func deadLetterAddress(d configs.DeadLetter) broker.Address {
	return broker.Address{Exchange: d.Exchange, RoutingKey: routingKey(d.RoutingKey)}
}

func watchAddress(w configs.Watch) broker.Address {
	return broker.Address{Queue: w.Queue, Stream: w.Stream, Consumer: w.Consumer}
}

// routingKey is the declared routing key; none keeps the message's own.
func routingKey(declared *string) string {
	if declared == nil {
		return ""
	}
	return *declared
}

// emptyKey tells whether an empty routing key is declared, to replace the message's own.
func emptyKey(declared *string) bool { return declared != nil && *declared == "" }
