package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Lists come page by page. nats.go would hide what the server says is missing from them.

// consumers reads the consumers of a stream. It fails if one has no leader now, and cannot say what it is.
func (b *Broker) consumers(ctx context.Context, stream string) ([]*jetstream.ConsumerInfo, error) {
	all, missing, err := b.listConsumers(ctx, stream)
	if err == nil && len(missing) > 0 { // it may have been made just now, and not have been heard of everywhere
		all, missing, err = b.listConsumers(ctx, stream)
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("stream %s: consumers %v have no leader", stream, missing)
	}
	return all, err
}

func (b *Broker) listConsumers(ctx context.Context, stream string) (all []*jetstream.ConsumerInfo, missing []string, err error) {
	for offset := 0; ; {
		var page struct {
			Error     *jetstream.APIError       `json:"error"`
			Total     int                       `json:"total"`
			Limit     int                       `json:"limit"`
			Consumers []*jetstream.ConsumerInfo `json:"consumers"`
			Missing   []string                  `json:"missing"`
		}
		if err := b.request(ctx, "CONSUMER.LIST."+stream, map[string]int{"offset": offset}, &page); err != nil {
			return nil, nil, err
		}
		if page.Error != nil {
			return nil, nil, classify(page.Error)
		}
		all, missing = append(all, page.Consumers...), append(missing, page.Missing...)
		if offset += page.Limit; offset >= page.Total || page.Limit == 0 {
			return all, missing, nil
		}
	}
}

// streamNames are those of the streams that store some of the subjects that match filter, also of those that have no
// leader now.
func (b *Broker) streamNames(ctx context.Context, filter string) (all []string, err error) {
	for {
		var page struct {
			Error   *jetstream.APIError `json:"error"`
			Total   int                 `json:"total"`
			Streams []string            `json:"streams"`
		}
		if err := b.request(ctx, "STREAM.NAMES", map[string]any{"offset": len(all), "subject": filter}, &page); err != nil {
			return nil, err
		}
		if page.Error != nil {
			return nil, classify(page.Error)
		}
		all = append(all, page.Streams...)
		if len(all) >= page.Total || len(page.Streams) == 0 {
			return all, nil
		}
	}
}
