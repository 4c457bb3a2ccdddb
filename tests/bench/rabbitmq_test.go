package bench

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
)

// BenchmarkShovelQuorum and BenchmarkShovelClassic: weir beside RabbitMQ's shovel plugin, between two nodes of the newest
// version, with the same prefetch.
func BenchmarkShovelQuorum(b *testing.B)  { shovels(b, "quorum") }
func BenchmarkShovelClassic(b *testing.B) { shovels(b, "classic") }

func shovels(b *testing.B, queueType string) {
	p := newPair(b, queueType)
	for b.Loop() {
		p.stage().compare(b, "plugin", gateway(p.yaml(p.to.URIs()[0], 1000)), p.plugin)
	}
}

// pair is a vhost on each of two nodes.
type pair struct {
	queueType string
	nodes     []*lab.Cluster
	from, to  *lab.VHost
	fromCh    *amqp.Channel
	toCh      *amqp.Channel
	seen      int
}

func newPair(b *testing.B, queueType string) *pair {
	b.Helper()
	return newPairOf(b, "newest", queueType)
}

// newPairOf is newPair on another version.
func newPairOf(b *testing.B, version, queueType string) *pair {
	b.Helper()
	p := &pair{queueType: queueType}
	for _, name := range []string{"src", "dst"} {
		p.nodes = append(p.nodes, lab.StartCluster(b, lab.Spec{Version: version, Name: name}))
	}
	p.from, p.to = p.nodes[0].VHost(b), p.nodes[1].VHost(b)
	p.fromCh, p.toCh = p.from.Channel(), p.to.Channel()
	return p
}

func (p *pair) stage() stage {
	return stage{
		messages: Messages, fill: p.fill, arrived: p.arrived, brokers: []int{p.nodes[0].Nodes[0].Pid, p.nodes[1].Nodes[0].Pid},
	}
}

func (p *pair) fill(b *testing.B) {
	b.Helper()
	for _, ch := range []*amqp.Channel{p.fromCh, p.toCh} {
		if _, err := ch.QueueDelete("bench", false, false, false); err != nil {
			b.Fatal(err)
		}
		if _, err := ch.QueueDeclare("bench", true, false, false, false, amqp.Table{"x-queue-type": p.queueType}); err != nil {
			b.Fatal(err)
		}
	}
	p.seen = 0
	p.publish(b, "", "bench")
	if q, err := p.fromCh.QueueDeclarePassive("bench", true, false, false, false, nil); err != nil || q.Messages > Messages {
		b.Fatalf("source holds %d messages: %v", q.Messages, err)
	}
}

// publish sends all messages to an exchange at the source.
func (p *pair) publish(b *testing.B, exchange, key string) {
	b.Helper()
	ch := p.from.Channel()
	defer func() { _ = ch.Close() }()
	if err := ch.Confirm(false); err != nil {
		b.Error(err)
		return
	}
	body := []byte(strings.Repeat("x", bodySize))
	var last *amqp.DeferredConfirmation
	for i := range Messages {
		c, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, ContentType: "application/json", MessageId: fmt.Sprint(i),
			Headers: amqp.Table{"customer": int32(i), "region": "eu", "priority-order": true}, Body: body,
		})
		if err != nil {
			b.Error(err)
			return
		}
		if i%1000 == 999 && last != nil && !last.Wait() {
			b.Error("not confirmed")
			return
		}
		if i%1000 == 0 {
			last = c
		}
	}
}

// arrived never goes back: a quorum queue under load may answer 0.
func (p *pair) arrived() int {
	q, err := p.toCh.QueueDeclarePassive("bench", true, false, false, false, nil)
	if err == nil {
		p.seen = max(p.seen, q.Messages)
	}
	return p.seen
}

// yaml is a shovel to the queue at a URI. prefetch 0 is automatic.
func (p *pair) yaml(to string, prefetch int) string {
	source := "{queue: bench}"
	if prefetch > 0 {
		source = fmt.Sprintf("{queue: bench, prefetch-count: %d}", prefetch)
	}
	return fmt.Sprintf(`version: 1
site: bench
local: src
brokers:
  src: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q}
  dst: {type: rabbitmq, uris: [%q], vhost: %q, username: %q, password: %q}
shovels:
  bench: {source: %s, destinations: [{broker: dst, queue: bench}]}
`, bare(p.from.URIs()[0]), p.from.Name, p.from.Username, p.from.Password,
		bare(to), p.to.Name, p.to.Username, p.to.Password, source)
}

// bare leaves scheme, host and port of a URI.
func bare(uri string) string {
	host := strings.TrimPrefix(uri[strings.LastIndexByte(uri, '@')+1:], "amqp://")
	host, _, _ = strings.Cut(host, "/")
	return "amqp://" + host
}

// plugin runs the same shovel inside the source's broker.
func (p *pair) plugin(*testing.B) (int, func()) {
	p.from.Parameter("shovel", "bench", map[string]any{
		"src-uri": p.from.URIs()[0], "src-queue": "bench", "src-prefetch-count": 1000,
		"dest-uri": p.to.URIs()[0], "dest-queue": "bench", "ack-mode": "on-confirm",
	})
	return 0, func() { p.from.Do(http.MethodDelete, "parameters/shovel/{vhost}/bench", nil) }
}
