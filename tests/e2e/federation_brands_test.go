package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// fedPlace is a region whose exchange fed is federated, on RabbitMQ (site) or on JetStream (natsSite).
type fedPlace interface {
	exchange(name, kind string)
	queue(name, exchange string, keys ...string)
	unbind(queue, exchange, key string)
	send(exchange, key string, bodies ...string)
	gets(queue string, want ...string)
	pulled(exchange string, keys ...string)

	workQueue(name string)
	put(queue string, bodies ...string)
	work(queue string) *worker
}

// onBrands runs a test with two regions, eu and us, in each pairing of brands that has JetStream in it. federate takes what
// the configuration says beside the brokers.
func onBrands(t *testing.T, test func(t *testing.T, eu, us fedPlace, federate func(string))) {
	t.Helper()
	t.Parallel()
	for _, row := range []struct{ eu, us string }{{"RabbitMQ", "JetStream"}, {"JetStream", "RabbitMQ"}, {"JetStream", "JetStream"}} {
		t.Run(row.us+" to "+row.eu, func(t *testing.T) {
			at, config := map[string]fedPlace{}, "version: 1\nsite: eu\nlocal: eu\nbrokers:\n"
			var embedded []*natsSite
			for name, brand := range map[string]string{"eu": row.eu, "us": row.us} {
				var yaml string
				if brand == "RabbitMQ" {
					s := newSite(t, lab.RabbitMQ(t, "newest").VHost(t))
					at[name], yaml = s, s.YAML()
				} else {
					s := &natsSite{embedded: newEmbedded(t, name), t: t, queues: map[string]string{}}
					at[name], yaml = s, s.YAML()
					embedded = append(embedded, s)
				}
				config += "  " + name + ": " + yaml + "\n"
			}
			g := built.Start(t, config) // the embedded brokers run in it
			for _, s := range embedded {
				s.js = s.jetstream(t)
			}
			test(t, at["eu"], at["us"], func(more string) { g.Reload(config + more) })
		})
	}
}

// natsSite is a region on JetStream, under the names of docs/configuration.md.
type natsSite struct {
	embedded
	t      *testing.T
	js     jetstream.JetStream
	queues map[string]string // the exchange that each is bound to
}

func (s *natsSite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *natsSite) exchange(name, _ string) {
	s.t.Helper()
	s.asks(s.t, func(ctx context.Context) error {
		_, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: "x_" + name, Subjects: []string{"x." + name + ".>"}, Retention: jetstream.InterestPolicy, Replicas: 3,
		})
		return err
	})
}

// queue makes a durable on an exchange's stream, bound with keys.
func (s *natsSite) queue(name, exchange string, keys ...string) {
	s.t.Helper()
	s.bind(name, exchange, func([]string) []string {
		var filters []string
		for _, key := range keys {
			filters = append(filters, "x."+exchange+"."+key)
		}
		return filters
	})
	s.queues[name] = exchange
}

func (s *natsSite) unbind(queue, exchange, key string) {
	s.t.Helper()
	s.bind(queue, exchange, func(filters []string) []string {
		return slices.DeleteFunc(filters, func(f string) bool { return f == "x."+exchange+"."+key })
	})
}

func (s *natsSite) bind(queue, exchange string, change func(filters []string) []string) {
	s.t.Helper()
	s.asks(s.t, func(ctx context.Context) error {
		c := jetstream.ConsumerConfig{Durable: queue, AckPolicy: jetstream.AckExplicitPolicy}
		old, err := s.js.Consumer(ctx, "x_"+exchange, queue)
		switch {
		case err == nil:
			c = old.CachedInfo().Config
		case !errors.Is(err, jetstream.ErrConsumerNotFound):
			return err
		}
		c.FilterSubjects = change(c.FilterSubjects)
		_, err = s.js.CreateOrUpdateConsumer(ctx, "x_"+exchange, c)
		return err
	})
}

func (s *natsSite) send(exchange, key string, bodies ...string) {
	s.t.Helper()
	s.publish("x."+exchange+"."+key, bodies...)
}

// publish stores each body once.
func (s *natsSite) publish(subject string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		s.asks(s.t, func(ctx context.Context) error {
			_, err := s.js.Publish(ctx, subject, []byte(body), jetstream.WithMsgID(subject+" "+body))
			return err
		})
	}
}

// consumes opens a durable.
func (s *natsSite) consumes(stream, durable string, options ...jetstream.PullMessagesOpt) (messages jetstream.MessagesContext) {
	s.t.Helper()
	s.asks(s.t, func(ctx context.Context) error {
		consumer, err := s.js.Consumer(ctx, stream, durable)
		if err != nil {
			return err
		}
		messages, err = consumer.Messages(options...)
		return err
	})
	return messages
}

func (s *natsSite) gets(queue string, want ...string) {
	s.t.Helper()
	messages := s.consumes("x_"+s.queues[queue], queue)
	defer messages.Stop()
	var got []string
	for len(got) <= len(want) {
		limit := federationLimit
		if len(got) == len(want) {
			limit = quiet
		}
		m, err := messages.Next(jetstream.NextMaxWait(limit))
		if err != nil {
			break
		}
		s.must(m.Ack())
		got = append(got, string(m.Data()))
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		s.t.Errorf("%s of %s got %v, want %v", queue, s.name, got, want)
	}
}

// workQueue makes what a queue is on JetStream: a work-queue stream with one durable.
func (s *natsSite) workQueue(name string) {
	s.t.Helper()
	s.declareQueue(s.t, s.js, name)
}

func (s *natsSite) put(queue string, bodies ...string) {
	s.t.Helper()
	s.publish(queueSubject(queue), bodies...)
}

// work begins to consume from a work queue. Messages are acked one by one.
func (s *natsSite) work(queue string) *worker {
	s.t.Helper()
	messages := s.consumes("q_"+queue, queue, jetstream.PullMaxMessages(10))
	w := new(worker)
	return w.run(s.t, messages.Stop, func() (string, error) {
		m, err := messages.Next()
		if err != nil {
			return "", err
		}
		return string(m.Data()), m.Ack()
	})
}

// pulled waits until weir's buffer on an exchange has filters for these keys, and no others.
func (s *natsSite) pulled(exchange string, keys ...string) {
	s.t.Helper()
	want := []string{"x." + exchange} // matches nothing
	if len(keys) > 0 {
		want = nil
		for _, key := range keys {
			want = append(want, "x."+exchange+"."+key)
		}
	}
	slices.Sort(want)
	got := map[string][]string{}
	defer func() {
		if s.t.Failed() {
			s.t.Logf("consumers of x_%s of %s filter %v", exchange, s.name, got)
		}
	}()
	await.That(s.t, federationLimit, fmt.Sprintf("pulled from %s of %s: %q", exchange, s.name, keys), func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second) // a young cluster may lose a request
		defer cancel()
		stream, err := s.js.Stream(ctx, "x_"+exchange)
		if err != nil {
			return false
		}
		for info := range stream.ListConsumers(ctx).Info() {
			got[info.Name] = info.Config.FilterSubjects
			filters := append(info.Config.FilterSubjects, info.Config.FilterSubject)
			filters = slices.DeleteFunc(filters, func(f string) bool { return f == "" })
			slices.Sort(filters)
			if strings.HasPrefix(info.Name, "weir") && slices.Equal(filters, want) {
				return true
			}
		}
		return false
	})
}

// Ensure that the same policies federate exchanges whatever the brands: bindings come and go, and two that federate each
// other get each message once.
func TestFederatedExchangeAcrossBrands(t *testing.T) {
	onBrands(t, func(_ *testing.T, eu, us fedPlace, federate func(string)) {
		eu.exchange("fed", "topic")
		eu.queue("one", "fed", "order.*", "stock")
		eu.queue("two", "fed", "stock", "other")
		for _, s := range []fedPlace{eu, us} {
			s.exchange("both", "topic")
			s.queue("all", "both", "*")
		}
		federate(`
upstreams:
  us: {broker: us, max-hops: 2}
  eu: {broker: eu, max-hops: 2}
policies:
  at-eu: {pattern: "^(fed|both)$", apply-to: exchanges, definition: {federation-upstream: us}}
  at-us: {downstream: us, pattern: "^both$", apply-to: exchanges, definition: {federation-upstream: eu}}
`)
		us.pulled("fed", "order.*", "stock", "other")
		us.send("fed", "order.paid", "1")
		us.send("fed", "stock", "2")
		us.send("fed", "invoice", "3")
		eu.gets("one", "1", "2")
		eu.gets("two", "2")
		eu.unbind("one", "fed", "stock") // the other one wants it still
		us.send("fed", "stock", "4")
		eu.gets("two", "4")
		eu.unbind("two", "fed", "stock")
		us.pulled("fed", "order.*", "other")
		us.send("fed", "stock", "5")
		us.send("fed", "other", "6")
		eu.gets("one")
		eu.gets("two", "6")

		eu.pulled("both", "*")
		us.pulled("both", "*")
		eu.send("both", "key", prefixed("eu", 20)...)
		us.send("both", "key", prefixed("us", 20)...)
		for _, s := range []fedPlace{eu, us} {
			s.gets("all", append(prefixed("eu", 20), prefixed("us", 20)...)...)
		}
	})
}

// Ensure messages of a federated queue go where the consumers are, whatever the brands, until all are consumed.
func TestFederatedQueueAcrossBrands(t *testing.T) {
	onBrands(t, func(t *testing.T, eu, us fedPlace, federate func(string)) {
		for _, s := range []fedPlace{eu, us} {
			s.workQueue("work")
		}
		eu.put("work", prefixed("eu", 30)...)
		us.put("work", prefixed("us", 30)...)
		federate(bothWays)
		one := eu.work("work")
		wantAll(t, append(prefixed("eu", 30), prefixed("us", 30)...), one)
		one.stop()
		two := us.work("work")
		eu.put("work", prefixed("more", 30)...)
		wantAll(t, prefixed("more", 30), two)
	})
}
