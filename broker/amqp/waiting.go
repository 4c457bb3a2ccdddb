package amqp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/broker"
)

// Waiting implements broker.Buffers, in three requests to the management API. Counts are a few seconds old,
// and unknown of a buffer whose leader is on a node that is down.
func (b *Broker) Waiting(ctx context.Context, prefix string) ([]broker.Waiting, error) {
	list, err := b.waiting(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list buffers: %w", err)
	}
	return list, nil
}

func (b *Broker) waiting(ctx context.Context, prefix string) ([]broker.Waiting, error) {
	m, err := b.api()
	if err != nil {
		return nil, err
	}
	var list []broker.Waiting
	var queues, totals []struct {
		Name     string `json:"name"`
		Messages *int64 `json:"messages"`
	}
	if err := m.list(ctx, &queues, "name", "queues", b.config.VHost); err != nil {
		return nil, err
	}
	for _, q := range queues {
		if strings.HasPrefix(q.Name, prefix) {
			list = append(list, broker.Waiting{Name: q.Name})
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	slices.SortFunc(list, func(a, b broker.Waiting) int { return strings.Compare(a.Name, b.Name) })
	if err := m.totals(ctx, &totals, "name,messages", b.config.VHost); err != nil {
		return nil, err
	}
	for _, q := range totals {
		i, found := slices.BinarySearchFunc(list, q.Name, func(w broker.Waiting, name string) int { return strings.Compare(w.Name, name) })
		if found && q.Messages != nil {
			list[i].Messages = broker.Counted(*q.Messages)
		}
	}
	var bindings []binding
	if err := m.list(ctx, &bindings, "source,destination,destination_type", "bindings", b.config.VHost); err != nil {
		return nil, err
	}
	sources := make(map[place]string)
	for _, r := range bindings {
		if r.Source != "" && r.Source != r.Destination && r.Source != passedName(r.Destination) {
			sources[place{r.DestinationType == "exchange", r.Destination}] = r.Source
		}
	}
	for i := range list {
		list[i].Exchange = sources[queueOf(list[i].Name)]
		if x, ok := sources[filterOf(list[i].Name)]; ok {
			list[i].Exchange = x
		}
	}
	return list, nil
}
