package bench

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// BenchmarkFederatedExchange and BenchmarkFederatedExchangeOld: weir beside RabbitMQ's federation plugin while a publisher
// sends as fast as it can, both with the prefetch they have by default. The newest version has quorum buffers, 3.10 classic ones.
func BenchmarkFederatedExchange(b *testing.B) {
	federatedExchanges(b, "newest", "quorum", (*exchanges).live)
}
func BenchmarkFederatedExchangeOld(b *testing.B) {
	federatedExchanges(b, "3.10", "classic", (*exchanges).live)
}

// BenchmarkFederatedExchangeBacklog: the same, to drain a full buffer while nobody publishes.
func BenchmarkFederatedExchangeBacklog(b *testing.B) {
	federatedExchanges(b, "newest", "quorum", (*exchanges).backlog)
}

func federatedExchanges(b *testing.B, version, queueType string, scene func(*exchanges, mover) (stage, mover)) {
	e := newExchanges(b, version, queueType)
	ours := gateway(e.yaml(e.from.URIs()[0], e.from.Management()[0], "queue-type: "+queueType))
	measure := func(move mover) func() result {
		s, move := scene(e, move)
		return func() result { return s.measure(b, move) }
	}
	for b.Loop() {
		compare(b, "plugin", measure(ours), measure(e.plugin))
	}
}

// backlog is a full buffer before the mover starts.
func (e *exchanges) backlog(move mover) (stage, mover) {
	s := e.stage()
	s.fill = e.fill(move)
	return s, move
}

// live is a publisher that begins once the mover has bound its buffer.
func (e *exchanges) live(move mover) (stage, mover) {
	s := e.stage()
	s.fill = func(b *testing.B) {
		b.Helper()
		e.forget(b)
		e.downstream(b)
	}
	return s, func(b *testing.B) (int, func()) {
		b.Helper()
		pid, stop := move(b)
		await(b, "the upstream is bound", func() bool { return bound(e.from) > 0 && len(e.buffers()) == 1 })
		var publishing sync.WaitGroup
		publishing.Go(func() { e.publish(b, "bench", "order.created") })
		return pid, func() {
			publishing.Wait()
			stop()
		}
	}
}

// BenchmarkBindings: how long weir takes from its start until 10,000 bindings are mirrored to an upstream 80 ms away.
func BenchmarkBindings(b *testing.B) {
	const bindings = 10_000
	e := newExchanges(b, "newest", "quorum")
	e.downstream(b)
	for i := range bindings - 1 { // one is there
		if err := e.toCh.QueueBind("bench", fmt.Sprintf("shop.%d.order", i), "bench", true, nil); err != nil {
			b.Fatal(err)
		}
	}
	await(b, "bound downstream", func() bool { return bound(e.to) == bindings })
	management, err := url.Parse(e.from.Management()[0])
	if err != nil {
		b.Fatal(err)
	}
	far := proxy(b, bare(e.from.URIs()[0]), 40)
	farManagement := "http://" + strings.TrimPrefix(proxy(b, "amqp://"+management.Host, 40), "amqp://")
	for b.Loop() {
		e.forget(b)
		w := startWeir(b, e.yaml(far, farManagement, "queue-type: quorum"))
		took := await(b, "bound upstream", func() bool {
			links := w.links()
			return len(links) == 1 && links[0].Federation != nil && !links[0].Federation.EqualAt.IsZero()
		})
		if n := bound(e.from); n < bindings {
			b.Errorf("%d bindings upstream, want %d", n, bindings)
		}
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(w.resident()/1024, "MiB")
		w.stop()
	}
	b.ReportMetric(0, "ns/op")
}

// exchanges are an exchange "bench" on each of two nodes, the second of which federates the first, and has a queue.
type exchanges struct{ *pair }

func newExchanges(b *testing.B, version, queueType string) *exchanges {
	b.Helper()
	e := &exchanges{newPairOf(b, version, queueType)}
	for _, ch := range []*amqp.Channel{e.fromCh, e.toCh} {
		if err := ch.ExchangeDeclare("bench", "topic", true, false, false, false, nil); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

// yaml federates the exchange from an upstream at a URI and its management API.
func (e *exchanges) yaml(from, management, upstream string) string {
	return fmt.Sprintf(`version: 1
site: bench
local: dst
brokers:
  src: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q, management: {uris: [%q]}}
  dst: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q, management: {uris: [%q]}}
upstreams:
  src: {broker: src, %s}
policies:
  bench: {pattern: ^bench$, apply-to: exchanges, definition: {federation-upstream: src}}
`, bare(from), e.from.Name, e.from.Username, e.from.Password, management,
		bare(e.to.URIs()[0]), e.to.Name, e.to.Username, e.to.Password, e.to.Management()[0], upstream)
}

// fill has a mover make its buffer, stops it, and fills the buffer.
func (e *exchanges) fill(move mover) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		e.forget(b)
		e.downstream(b)
		_, stop := move(b)
		await(b, "the upstream is bound", func() bool { return bound(e.from) > 0 && len(e.buffers()) == 1 })
		stop()
		buffer := e.buffers()[0]
		await(b, "nobody consumes the buffer", func() bool {
			q, err := e.fromCh.QueueDeclarePassive(buffer, true, false, false, false, nil)
			return err == nil && q.Consumers == 0
		})
		e.publish(b, "bench", "order.created")
	}
}

// downstream has an empty queue that wants everything.
func (e *exchanges) downstream(b *testing.B) {
	b.Helper()
	if _, err := e.toCh.QueueDelete("bench", false, false, false); err != nil {
		b.Fatal(err)
	}
	if _, err := e.toCh.QueueDeclare("bench", true, false, false, false, amqp.Table{"x-queue-type": e.queueType}); err != nil {
		b.Fatal(err)
	}
	if err := e.toCh.QueueBind("bench", "order.#", "bench", false, nil); err != nil {
		b.Fatal(err)
	}
	e.seen = 0
}

// forget takes away what the movers have made upstream: buffers, and exchanges in front of them.
func (e *exchanges) forget(b *testing.B) {
	b.Helper()
	for _, queue := range e.buffers() {
		if _, err := e.fromCh.QueueDelete(queue, false, false, false); err != nil {
			b.Fatal(err)
		}
	}
	var all []struct{ Name string }
	e.from.Get("exchanges/{vhost}", &all)
	for _, x := range all {
		if x.Name == "" || x.Name == "bench" || strings.HasPrefix(x.Name, "amq.") {
			continue
		}
		if err := e.fromCh.ExchangeDelete(x.Name, false, false); err != nil {
			b.Fatal(err)
		}
	}
}

// buffers are the queues upstream.
func (e *exchanges) buffers() (names []string) {
	var all []struct{ Name string }
	e.from.Get("queues/{vhost}", &all)
	for _, q := range all {
		names = append(names, q.Name)
	}
	return names
}

// bound is how many bindings the exchange has at a site.
func bound(at *lab.VHost) int {
	var all []struct{}
	at.Get("exchanges/{vhost}/bench/bindings/source", &all)
	return len(all)
}

// plugin federates inside the downstream's broker. Its buffer stays when it is stopped.
func (e *exchanges) plugin(*testing.B) (int, func()) {
	upstream := map[string]any{
		"uri": e.from.URIs()[0], "prefetch-count": 1000, "ack-mode": "on-confirm", "resource-cleanup-mode": "never",
	}
	if e.queueType == "quorum" {
		upstream["queue-type"] = "quorum"
	}
	e.to.Parameter("federation-upstream", "src", upstream)
	e.to.Policy("bench", "^bench$", "exchanges", map[string]any{"federation-upstream": "src"})
	return 0, func() { e.to.Do(http.MethodDelete, "policies/{vhost}/bench", nil) }
}
