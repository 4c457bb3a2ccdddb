package gateway

import (
	"context"
	"errors"

	"weir/broker"
)

// Leftover is a buffer of this site that no policy asks for any more.
type Leftover struct {
	Broker   string `json:"broker"`
	Name     string `json:"name"`
	Exchange string `json:"exchange,omitempty"`
	// Messages are those that wait in it. nil: unknown.
	Messages *int64 `json:"messages,omitempty"`
}

// Leftovers lists what federation has left on the brokers in force. The error names the brokers that could not be asked;
// the list holds what the others said.
func (g *Gateway) Leftovers(ctx context.Context) ([]Leftover, error) {
	found, err := g.federation.Leftovers(ctx)
	list := make([]Leftover, 0, len(found))
	for _, f := range found {
		l := Leftover{Broker: f.Broker, Name: f.Buffer, Exchange: f.Exchange}
		if f.Messages.Known {
			l.Messages = &f.Messages.N
		}
		list = append(list, l)
	}
	return list, err
}

// Remove deletes one leftover. Unless force, one that holds messages or has a consumer stays (broker.ErrInUse). What is
// not a leftover is not found (broker.ErrNotFound).
func (g *Gateway) Remove(ctx context.Context, brokerName, name string, force bool) error {
	found, err := g.federation.Leftovers(ctx)
	for _, f := range found {
		if f.Broker == brokerName && f.Buffer == name {
			if err := g.federation.Remove(ctx, f, force); err != nil {
				return err
			}
			g.Log.Info("leftover is removed by hand", "broker", brokerName, "buffer", name, "messages", f.Messages, "force", force)
			return nil
		}
	}
	return errors.Join(broker.ErrNotFound, err)
}
