package jetstream

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// Exchanges implements broker.Catalog: the streams whose names and subjects are those of an exchange in this vhost.
func (b *Broker) Exchanges(ctx context.Context) ([]broker.Exchange, error) {
	names, err := b.named(ctx, "x")
	if err != nil {
		return nil, fmt.Errorf("list exchanges: %w", err)
	}
	all := make([]broker.Exchange, len(names))
	for i, name := range names {
		all[i] = broker.Exchange{Name: name, Type: "topic", Durable: true}
	}
	return all, nil
}

// Queues implements broker.Catalog. Every one is durable, and replicated if its stream is: RabbitMQ's word for that is
// quorum.
func (b *Broker) Queues(ctx context.Context) ([]broker.Queue, error) {
	names, err := b.named(ctx, "q")
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	all := make([]broker.Queue, len(names))
	for i, name := range names {
		all[i] = broker.Queue{Name: name, Type: "quorum", Durable: true}
	}
	return all, nil
}

// named are the names of exchanges (kind "x") or queues (kind "q").
func (b *Broker) named(ctx context.Context, kind string) (all []string, err error) {
	streams, err := b.streamNames(ctx, b.names.subjects+kind+".>")
	if err != nil {
		return nil, err
	}
	for _, stream := range streams {
		name, ok := b.names.ofStream(stream, kind)
		if !ok && strings.Contains(stream, boundedMark) {
			if name, ok, err = b.ofLongStream(ctx, stream, kind); err != nil {
				return nil, err
			}
		}
		if ok {
			all = append(all, name)
		}
	}
	return all, nil
}

// ofLongStream reads a name from the subjects of a stream whose own name is too long to hold it.
func (b *Broker) ofLongStream(ctx context.Context, stream, kind string) (name string, ok bool, err error) {
	info, err := b.streamInfo(ctx, stream)
	if isNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	for _, subject := range info.Config.Subjects {
		rest, found := strings.CutPrefix(subject, b.names.subjects+kind+".")
		name, ok = untoken(strings.TrimSuffix(rest, ".>"))
		if found && ok && bounded(b.names.streams+kind+"_"+token(name)) == stream {
			return name, true, nil
		}
	}
	return "", false, nil
}

// Bindings implements broker.Catalog: what the consumers of the exchange's stream want, the anchor excepted. Filters of
// consumers that are not weir's are turned into the binding keys of a topic exchange.
func (b *Broker) Bindings(ctx context.Context, exchange string) ([]broker.Binding, error) {
	all, err := b.bindings(ctx, exchange)
	if err != nil {
		return nil, fmt.Errorf("bindings of exchange %q: %w", exchange, err)
	}
	return all, nil
}

func (b *Broker) bindings(ctx context.Context, exchange string) (all []broker.Binding, err error) {
	stream := b.names.exchangeStream(exchange)
	consumers, err := b.consumers(ctx, stream)
	if err == nil && len(consumers) == 0 { // so says a cluster of a stream that does not exist, too
		_, err = b.streamInfo(ctx, stream)
	}
	if err != nil {
		return nil, err
	}
	for _, info := range consumers {
		if info.Name == anchorName {
			continue
		}
		bound, err := b.bindingsOf(info, exchange)
		if err != nil {
			return nil, fmt.Errorf("consumer %s: %w", info.Name, err)
		}
		all = append(all, bound...)
	}
	return all, nil
}

func (b *Broker) bindingsOf(info *jetstream.ConsumerInfo, exchange string) (all []broker.Binding, err error) {
	queue, isBuffer := bufferName(info)
	if isBuffer {
		set, err := decodeBindings(info.Config.Metadata[bindingsKey])
		if err != nil {
			return nil, err
		}
		all = set.list()
	} else {
		var readable bool
		if queue, readable = untoken(info.Name); !readable {
			queue = info.Name
		}
		for _, key := range b.names.bindingKeys(exchange, filtersOf(info)) {
			all = append(all, broker.Binding{Key: key})
		}
	}
	for i := range all {
		all[i].Destination = queue
	}
	return all, nil
}

// bufferName is what a buffer's consumer stands for. ok is false for any other.
func bufferName(info *jetstream.ConsumerInfo) (name string, ok bool) {
	return strings.CutPrefix(info.Config.Metadata[metadataKey], bufferMark)
}

// ofStream reads the name of an exchange (kind "x") or queue (kind "q") from that of its stream.
func (n names) ofStream(stream, kind string) (name string, ok bool) {
	rest, found := strings.CutPrefix(stream, n.streams+kind+"_")
	if !found {
		return "", false
	}
	return untoken(rest)
}

// bindingKeys are the keys by which a topic exchange would send a consumer what its filters match. Without filters it
// gets everything; filters for other subjects than the exchange's are left out.
func (n names) bindingKeys(exchange string, filters []string) (keys []string) {
	if len(filters) == 0 {
		return []string{"#"}
	}
	all := map[string]bool{}
	for _, f := range filters {
		all[f] = true
	}
	for _, f := range filters {
		key, ok := n.bindingKey(exchange, f)
		if !ok || all[f+".>"] {
			continue
		}
		if base, found := strings.CutSuffix(f, ".>"); found && all[base] { // "a" and "a.>" are what JetStream has for "a.#"
			key = strings.Replace(key, ".*.#", ".#", 1)
		}
		keys = append(keys, key)
	}
	return keys
}

// bindingKey is the key for one filter. ok is false for one that matches nothing of the exchange.
func (n names) bindingKey(exchange, filter string) (key string, ok bool) {
	words := strings.Split(filter, ".")
	for w := range strings.SplitSeq(n.subjects+"x."+token(exchange), ".") {
		switch {
		case len(words) > 0 && words[0] == ">":
			return "#", true
		case len(words) == 0 || words[0] != "*" && words[0] != w:
			return "", false
		}
		words = words[1:]
	}
	for i, w := range words {
		switch {
		case w == "*":
		case w == ">" && i == 0:
			return "#", true
		case w == ">":
			words[i] = "*.#"
		case w == "#":
			words[i] = "*" // a key cannot say it literally
		default:
			if words[i], ok = untoken(w); !ok {
				return "", false
			}
		}
	}
	return strings.Join(words, "."), len(words) > 0
}
