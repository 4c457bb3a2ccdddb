package e2e

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/await"
	"weir/tests/lab"
	"weir/tests/shop"
)

// federationLimit is how long anything may take that must come about.
const federationLimit = 90 * time.Second

// quiet is how long nothing may come until it is believed that nothing will.
const quiet = 300 * time.Millisecond

// onVersions runs a test on the oldest and the newest RabbitMQ.
func onVersions(t *testing.T, test func(t *testing.T, broker *lab.Broker)) {
	t.Helper()
	t.Parallel()
	for _, version := range []string{"3.10", "newest"} {
		t.Run(version, func(t *testing.T) { test(t, lab.RabbitMQ(t, version)) })
	}
}

// site is a region of RabbitMQ with its applications.
type site struct {
	shop.Rabbit
	t  *testing.T
	ch *amqp.Channel
}

// sites makes a vhost for each name. config declares them as brokers for one gateway, the first of them local; what a test
// adds comes after it.
func sites(t *testing.T, broker *lab.Broker, names ...string) (all []site, config string) {
	t.Helper()
	config = "version: 1\nsite: shop\nlocal: " + names[0] + "\nbrokers:\n"
	for _, name := range names {
		s := newSite(t, broker.VHost(t))
		all = append(all, s)
		config += "  " + name + ": " + s.YAML() + "\n"
	}
	return all, config
}

func newSite(t *testing.T, v *lab.VHost) site {
	t.Helper()
	ch := v.Channel()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return site{shop.Rabbit{VHost: v}, t, ch}
}

func (s site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s site) exchange(name, kind string) {
	s.t.Helper()
	s.must(s.ch.ExchangeDeclare(name, kind, true, false, false, false, nil))
}

// queue makes a queue, bound to an exchange if one is given.
func (s site) queue(name, exchange string, keys ...string) {
	s.t.Helper()
	_, err := s.ch.QueueDeclare(name, true, false, false, false, nil)
	s.must(err)
	for _, key := range keys {
		s.must(s.ch.QueueBind(name, key, exchange, false, nil))
	}
}

func (s site) unbind(queue, exchange, key string) {
	s.t.Helper()
	s.must(s.ch.QueueUnbind(queue, key, exchange, nil))
}

// send publishes a message for each body, and waits until all are confirmed.
func (s site) send(exchange, key string, bodies ...string) {
	s.t.Helper()
	var pending []*amqp.DeferredConfirmation
	for _, body := range bodies {
		c, err := s.ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
		s.must(err)
		pending = append(pending, c)
	}
	stored, cancel := context.WithTimeout(s.t.Context(), federationLimit)
	defer cancel()
	for _, c := range pending {
		if acked, err := c.WaitContext(stored); err != nil || !acked {
			s.t.Fatalf("a message to %s is not stored: %v", exchange, err)
		}
	}
}

// gets waits until a queue has got these messages, in any order, takes them, and fails if more come soon after.
func (s site) gets(queue string, want ...string) {
	s.t.Helper()
	got := s.take(queue, len(want))
	<-time.After(quiet)
	got = append(got, s.take(queue, 0)...)
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		s.t.Errorf("%s of %s got %v, want %v", queue, s.VHost.Name, got, want)
	}
}

// take takes at least n messages, and all that are there.
func (s site) take(queue string, n int) []string {
	s.t.Helper()
	var got []string
	defer func() {
		if len(got) < n {
			s.t.Logf("%s of %s has only got %v", queue, s.VHost.Name, got)
		}
	}()
	await.That(s.t, federationLimit, fmt.Sprintf("%d messages in %s of %s", n, queue, s.VHost.Name), func() bool {
		for {
			m, ok, err := s.ch.Get(queue, true)
			s.must(err)
			if !ok {
				return len(got) >= n
			}
			got = append(got, string(m.Body))
		}
	})
	return got
}

// pulled waits until weir's buffers on an exchange are bound with these keys, and no others.
func (s site) pulled(exchange string, keys ...string) {
	s.t.Helper()
	s.pulledBy("weir: ", exchange, keys...)
}

// pulledBy is pulled for what is bound to queues and exchanges whose names begin with prefix.
func (s site) pulledBy(prefix, exchange string, keys ...string) {
	s.t.Helper()
	slices.Sort(keys)
	var got []string
	await.That(s.t, federationLimit, fmt.Sprintf("bound for %son %s of %s: %q", prefix, exchange, s.VHost.Name, keys), func() bool {
		var bindings []struct {
			Destination string `json:"destination"`
			Key         string `json:"routing_key"`
		}
		s.VHost.Get("exchanges/{vhost}/"+url.PathEscape(exchange)+"/bindings/source", &bindings)
		got = nil
		for _, b := range bindings {
			if strings.HasPrefix(b.Destination, prefix) {
				got = append(got, b.Key)
			}
		}
		slices.Sort(got)
		return slices.Equal(got, keys)
	})
}

// holds waits until queues have this many messages ready in all.
func (s site) holds(want int, queues ...string) {
	s.t.Helper()
	await.That(s.t, federationLimit, fmt.Sprintf("%d messages in %q of %s", want, queues, s.VHost.Name), func() bool {
		n := 0
		for _, name := range queues {
			q, err := s.ch.QueueDeclarePassive(name, true, false, false, false, nil)
			s.must(err)
			n += q.Messages
		}
		return n == want
	})
}

// buffers are weir's own queues.
func (s site) buffers() []string {
	s.t.Helper()
	var all []struct {
		Name string `json:"name"`
	}
	s.VHost.Get("queues/{vhost}", &all)
	var names []string
	for _, q := range all {
		if strings.HasPrefix(q.Name, "weir: ") {
			names = append(names, q.Name)
		}
	}
	return names
}

// prefixed puts a word before each number from 1 to n.
func prefixed(word string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(word, i+1))
	}
	return all
}
