package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

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
}

// onBrands runs a test with two regions, eu and us, in each pairing of brands that has JetStream in it. federate takes what
// the configuration says beside the brokers.
func onBrands(t *testing.T, test func(eu, us fedPlace, federate func(string))) {
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
					at[name], yaml = s, s.yaml()
				} else {
					s := &natsSite{embedded: newEmbedded(t, name), t: t, queues: map[string]string{}}
					at[name], yaml = s, s.yaml()
					embedded = append(embedded, s)
				}
				config += "  " + name + ": " + yaml + "\n"
			}
			g := startGateway(t, config) // the embedded brokers run in it
			for _, s := range embedded {
				s.js = s.jetstream(t)
			}
			test(at["eu"], at["us"], func(more string) { g.reload(config + more) })
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

func (s *natsSite) within() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), federationLimit)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *natsSite) exchange(name, _ string) {
	s.t.Helper()
	_, err := s.js.CreateOrUpdateStream(s.within(), jetstream.StreamConfig{
		Name: "x_" + name, Subjects: []string{"x." + name + ".>"}, Retention: jetstream.InterestPolicy, Replicas: 3,
	})
	s.must(err)
}

// queue makes a durable on an exchange's stream, or binds it with more keys.
func (s *natsSite) queue(name, exchange string, keys ...string) {
	s.t.Helper()
	stream, err := s.js.Stream(s.within(), "x_"+exchange)
	s.must(err)
	c := jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}
	if old, err := stream.Consumer(s.within(), name); err == nil {
		c = old.CachedInfo().Config
	}
	for _, key := range keys {
		c.FilterSubjects = append(c.FilterSubjects, "x."+exchange+"."+key)
	}
	_, err = stream.CreateOrUpdateConsumer(s.within(), c)
	s.must(err)
	s.queues[name] = exchange
}

func (s *natsSite) unbind(queue, exchange, key string) {
	s.t.Helper()
	stream, err := s.js.Stream(s.within(), "x_"+exchange)
	s.must(err)
	old, err := stream.Consumer(s.within(), queue)
	s.must(err)
	c := old.CachedInfo().Config
	c.FilterSubjects = slices.DeleteFunc(c.FilterSubjects, func(f string) bool { return f == "x."+exchange+"."+key })
	_, err = stream.UpdateConsumer(s.within(), c)
	s.must(err)
}

func (s *natsSite) send(exchange, key string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		_, err := s.js.Publish(s.within(), "x."+exchange+"."+key, []byte(body))
		s.must(err)
	}
}

func (s *natsSite) gets(queue string, want ...string) {
	s.t.Helper()
	consumer, err := s.js.Consumer(s.within(), "x_"+s.queues[queue], queue)
	s.must(err)
	messages, err := consumer.Messages()
	s.must(err)
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
		s.must(m.DoubleAck(s.within()))
		got = append(got, string(m.Data()))
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		s.t.Errorf("%s of %s got %v, want %v", queue, s.name, got, want)
	}
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
	eventually(s.t, federationLimit, fmt.Sprintf("pulled from %s of %s: %q", exchange, s.name, keys), func() bool {
		stream, err := s.js.Stream(s.within(), "x_"+exchange)
		if err != nil {
			return false
		}
		for info := range stream.ListConsumers(s.within()).Info() {
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
	onBrands(t, func(eu, us fedPlace, federate func(string)) {
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
