package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"weir/broker"
	"weir/shovel"
)

// Leftover is a queue of this site that nothing in the configuration asks for any more: a federation buffer, or what a
// shovel read an exchange through.
type Leftover struct {
	Broker   string `json:"broker"`
	Name     string `json:"name"`
	Exchange string `json:"exchange,omitempty"`
	// Messages are those that wait in it. nil: unknown.
	Messages *int64 `json:"messages,omitempty"`
}

// Leftovers lists what federation and shovels have left on the brokers in force. The error names the brokers that could
// not be asked; the list holds what the others said.
func (g *Gateway) Leftovers(ctx context.Context) ([]Leftover, error) {
	found, federated := g.federation.Leftovers(ctx)
	left, shovelled := g.leftByShovels(ctx)
	list := append([]Leftover{}, left...)
	for _, f := range found {
		list = append(list, leftover(f.Broker, f.Buffer, f.Exchange, f.Messages))
	}
	slices.SortFunc(list, func(a, b Leftover) int {
		return cmp.Or(cmp.Compare(a.Broker, b.Broker), cmp.Compare(a.Name, b.Name))
	})
	return list, broker.Join(federated, shovelled)
}

func leftover(brokerName, name, exchange string, messages broker.Count) Leftover {
	l := Leftover{Broker: brokerName, Name: name, Exchange: exchange}
	if messages.Known {
		l.Messages = &messages.N
	}
	return l
}

// Remove deletes one leftover. Unless force, one that holds messages or has a consumer stays (broker.ErrInUse). What is
// not a leftover is not found (broker.ErrNotFound).
func (g *Gateway) Remove(ctx context.Context, brokerName, name string, force bool) error {
	found, federated := g.federation.Leftovers(ctx)
	for _, f := range found {
		if f.Broker == brokerName && f.Buffer == name {
			return g.removed(brokerName, name, force, g.federation.Remove(ctx, f, force))
		}
	}
	list, shovelled := g.leftByShovels(ctx)
	for _, l := range list {
		if l.Broker == brokerName && l.Name == name {
			b, ok := g.broker(brokerName).(broker.Disposer)
			if !ok {
				return fmt.Errorf("delete a queue on broker %s: %w", brokerName, broker.ErrUnsupported)
			}
			return g.removed(brokerName, name, force, b.DeleteBuffer(ctx, name, force))
		}
	}
	return errors.Join(broker.ErrNotFound, federated, shovelled)
}

func (g *Gateway) removed(brokerName, name string, force bool, err error) error {
	if err == nil {
		g.Log.Info("leftover is removed by hand", "broker", brokerName, "buffer", name, "force", force)
	}
	return err
}

// leftByShovels lists the queues through which shovels of this site read exchanges, without those of shovels that still
// do: whichever broker they are on, because one cluster may be declared under two names. A broker that cannot tell what
// there is, as RabbitMQ without its management API, is passed over.
func (g *Gateway) leftByShovels(ctx context.Context) (list []Leftover, err error) {
	cfg := g.Config()
	if cfg.Site == "" { // without which no shovel reads an exchange
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, e := range shovel.Ends(cfg) {
		wanted[e.At.Queue] = true
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Brokers)) {
		b, ok := g.broker(name).(broker.Buffers)
		if !ok {
			continue
		}
		waiting, err := b.Waiting(ctx, shovel.ExchangeQueue(cfg.Site, ""))
		if err != nil && !errors.Is(err, broker.ErrUnsupported) {
			problems = append(problems, fmt.Errorf("queues of shovels on %s: %w", name, err))
		}
		for _, w := range waiting {
			if !wanted[w.Name] {
				list = append(list, leftover(name, w.Name, w.Exchange, w.Messages))
			}
		}
	}
	return list, broker.Join(problems...)
}

// broker is one of those in force, nil if there is none of that name.
func (g *Gateway) broker(name string) broker.Broker {
	g.applying.Lock()
	defer g.applying.Unlock()
	b, _ := g.brokers.Find(name)
	return b
}
