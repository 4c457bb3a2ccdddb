package memory

import (
	"fmt"
	"slices"

	"weir/broker"
)

// Kind is how an exchange matches a message with its bindings.
type Kind string

// The kinds of exchange, by RabbitMQ's names. An exchange of any other kind matches like a direct one.
const (
	Direct  Kind = "direct"
	Fanout  Kind = "fanout"
	Topic   Kind = "topic"
	Headers Kind = "headers"
)

type exchange struct {
	broker.Exchange
	bindings []bound // in the order they were made
	known    map[string]bool
}

// bound is a binding with what it is told from others by: two that differ in their arguments only are two.
type bound struct {
	broker.Binding
	id string
}

func newBound(x broker.Binding) bound {
	args := x.Arguments
	if len(args) == 0 {
		args = nil
	}
	return bound{x, fmt.Sprintf("%t %q %q %#v", x.ToExchange, x.Destination, x.Key, args)}
}

func newExchange(as broker.Exchange) *exchange {
	return &exchange{Exchange: as, known: map[string]bool{}}
}

// bind tells whether the binding is a new one.
func (x *exchange) bind(binding broker.Binding) bool {
	b := newBound(binding)
	if x.known[b.id] {
		return false
	}
	x.known[b.id] = true
	x.bindings = append(x.bindings, b)
	return true
}

// unbind tells whether any of these bindings was there.
func (x *exchange) unbind(bindings ...broker.Binding) bool {
	gone := map[string]bool{}
	for _, binding := range bindings {
		if id := newBound(binding).id; x.known[id] {
			gone[id] = true
			delete(x.known, id)
		}
	}
	if len(gone) > 0 {
		x.bindings = slices.DeleteFunc(x.bindings, func(b bound) bool { return gone[b.id] })
	}
	return len(gone) > 0
}

// leadingTo are the bindings to a queue, or to an exchange.
func (x *exchange) leadingTo(destination string, toExchange bool) []broker.Binding {
	var found []broker.Binding
	for _, b := range x.bindings {
		if b.Destination == destination && b.ToExchange == toExchange {
			found = append(found, b.Binding)
		}
	}
	return found
}

// declareExchange makes an exchange; one that exists stays as it is.
func (b *Broker) declareExchange(as broker.Exchange) {
	if b.exchanges[as.Name] == nil {
		b.exchanges[as.Name] = newExchange(as)
		b.hint("")
	}
}

// forget takes away every binding to what is gone.
func (b *Broker) forget(destination string, wasExchange bool) {
	for name, x := range b.exchanges {
		if x.unbind(x.leadingTo(destination, wasExchange)...) {
			b.hint(name)
		}
	}
}
