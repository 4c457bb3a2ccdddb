package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// Check implements broker.Checker. Beside what is there it looks at what the user may publish to, as far as the server
// tells (see permissions).
func (b *Broker) Check(ctx context.Context, at broker.Address, as broker.Role, predeclared bool) error {
	var subjects []string
	var err error
	if as == broker.AsSource {
		subjects, err = b.checkSource(ctx, at, predeclared)
	} else {
		subjects, err = b.checkDestination(ctx, at, predeclared)
	}
	if err == nil {
		err = b.mayPublish(ctx, subjects)
	}
	if err == nil || at == (broker.Address{}) {
		return err
	}
	return fmt.Errorf("%v: %w", at, err)
}

// checkSource returns what a Source publishes to.
func (b *Broker) checkSource(ctx context.Context, at broker.Address, predeclared bool) ([]string, error) {
	stream, consumer := at.Stream, at.Consumer
	declares := !predeclared
	switch {
	case at.Queue != "":
		stream, consumer = b.names.queueStream(at.Queue), b.names.durable(at.Queue)
	case at.Exchange != "":
		stream, consumer = b.names.exchangeStream(at.Exchange), ""
	case stream == "" && at.Subject != "":
		info, err := b.capturing(ctx, at.Subject)
		if err != nil {
			return nil, err
		}
		stream = info.Config.Name
	case stream == "":
		return nil, fmt.Errorf("name a queue, an exchange or a stream: %w", broker.ErrUnsupported)
	default:
		declares = false // a stream in NATS' words is never declared
	}
	_, err := b.streamInfo(ctx, stream)
	if err != nil {
		if declares && isNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	if consumer == "" { // the link makes its own
		return []string{"$JS.ACK." + stream + ".x"}, nil
	}
	info, err := b.consumerInfo(ctx, stream, consumer)
	switch {
	case isNotFound(err) && !predeclared:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("consumer %s of stream %s: %w", consumer, stream, err)
	}
	return []string{b.place(info).next, "$JS.ACK." + stream + "." + consumer + ".x"}, usable(info)
}

// checkDestination returns what a Sink publishes to.
func (b *Broker) checkDestination(ctx context.Context, at broker.Address, predeclared bool) ([]string, error) {
	to, err := b.destination(at)
	if err != nil {
		return nil, err
	}
	var info *jetstream.StreamInfo
	switch {
	case at.Queue != "":
		info, err = b.streamInfo(ctx, b.names.queueStream(at.Queue))
	case at.Exchange != "":
		info, err = b.streamInfo(ctx, b.names.exchangeStream(at.Exchange))
	case at.Subject != "":
		predeclared = true // only its owner knows what else belongs in the stream
		info, err = b.capturing(ctx, at.Subject)
	default:
		_, err = b.manage(ctx)
		return nil, err
	}
	if err != nil && (predeclared || !isNotFound(err)) {
		return nil, err
	}
	if info != nil {
		if _, err := (&routes{b: b}).add(info); err != nil {
			return nil, err
		}
	}
	if to.fixed == "" {
		return []string{b.names.subject(at.Exchange, "x")}, nil
	}
	return []string{to.fixed}, nil
}

// DeadLetters implements broker.Checker. JetStream has none: what is rejected is terminated.
func (b *Broker) DeadLetters(context.Context, broker.Address) (bool, error) { return false, nil }
