package federation_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/configs"
	"weir/federation"
	"weir/link"
	"weir/tests/lab"
	"weir/tests/transcript"
)

// patience is how long anything may take on a machine that is busy.
const patience = 90 * time.Second

// region is a virtual host of RabbitMQ, with its applications' channel.
type region struct {
	*testing.T
	*lab.VHost
	ch *amqp091.Channel
}

// onRabbitMQ runs a test on the oldest and the newest RabbitMQ, with two regions of one cluster that have a topic exchange
// "catalog" each.
func onRabbitMQ(t *testing.T, test func(t *testing.T, eu, us region)) {
	t.Helper()
	t.Parallel()
	for _, version := range []string{"3.10", "newest"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			node := lab.RabbitMQ(t, version)
			test(t, newRegion(t, node), newRegion(t, node))
		})
	}
}

func newRegion(t *testing.T, node *lab.Broker) region {
	t.Helper()
	v := node.VHost(t)
	r := region{T: t, VHost: v, ch: v.Channel()}
	r.must(r.ch.Confirm(false))
	r.must(r.ch.ExchangeDeclare("catalog", "topic", true, false, false, false, nil))
	return r
}

func (r region) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// consumer makes a queue bound to the exchange catalog.
func (r region) consumer(queue string, keys ...string) {
	r.Helper()
	_, err := r.ch.QueueDeclare(queue, true, false, false, false, nil)
	r.must(err)
	for _, key := range keys {
		r.must(r.ch.QueueBind(queue, key, "catalog", false, nil))
	}
}

// publish sends a message for each body, and returns when they are stored.
func (r region) publish(key string, bodies ...string) {
	r.Helper()
	for _, body := range bodies {
		c, err := r.ch.PublishWithDeferredConfirm("catalog", key, false, false, amqp091.Publishing{Body: []byte(body), UserId: r.Username})
		r.must(err)
		r.stored(c)
	}
}

// stored waits until the broker has a message.
func (r region) stored(c *amqp091.DeferredConfirmation) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if acked, err := c.WaitContext(ctx); err != nil || !acked {
		r.Fatalf("a message is not stored: %v", err)
	}
}

// gets takes these messages from a queue, in this order, and makes sure that no more come within a moment.
func (r region) gets(queue string, want ...string) []amqp091.Delivery {
	r.Helper()
	all := r.take(queue, len(want))
	var got []string
	for _, d := range all {
		got = append(got, string(d.Body))
	}
	if !slices.Equal(got, want) {
		r.Errorf("%s got %q, want %q", queue, got, want)
	}
	return all
}

// take takes n messages in any order, and makes sure that no more come within a moment.
func (r region) take(queue string, n int) (all []amqp091.Delivery) {
	r.Helper()
	took := func() bool {
		d, ok, err := r.ch.Get(queue, true)
		r.must(err)
		if ok {
			all = append(all, d)
		}
		return ok
	}
	eventually(r.T, fmt.Sprintf("%d messages in %s", n, queue), func() bool { took(); return len(all) >= n })
	<-time.After(500 * time.Millisecond)
	for took() {
	}
	if len(all) != n {
		r.Errorf("%s got %d messages, want %d", queue, len(all), n)
	}
	return all
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); <-time.After(20 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// driver makes weir's broker of a region, closed in the end.
func (r region) driver(name string) *amqp.Broker {
	r.Helper()
	c := amqp.Config{Name: name, VHost: r.Name, ClusterName: r.Broker.Name}
	for _, uri := range r.URIs() {
		c.URIs = append(c.URIs, r.base(uri))
	}
	for _, uri := range r.Management() {
		c.Management.URIs = append(c.Management.URIs, r.base(uri))
	}
	c.Credentials = func() (string, string, error) { return r.Username, r.Password, nil }
	c.Management.Credentials = c.Credentials
	b := amqp.New(c, slog.New(slog.DiscardHandler))
	r.Cleanup(b.Close)
	return b
}

// base is a URI without credentials, path and query.
func (r region) base(uri string) string {
	u, err := url.Parse(uri)
	r.must(err)
	return u.Scheme + "://" + u.Host
}

// real is a gateway between regions.
type real struct {
	*testing.T
	*federation.Federation
	config  string
	brokers map[string]broker.Broker
	stop    func()
}

// federate starts a gateway in the first of two regions.
func federate(t *testing.T, eu, us region, policies string) *real {
	t.Helper()
	config := fmt.Sprintf("version: 1\nsite: eu\nlocal: eu\nbrokers:\n"+
		"  eu: {type: rabbitmq, uris: [\"amqp://eu\"], vhost: %q, management: {uris: [\"http://eu\"]}}\n"+
		"  us: {type: rabbitmq, uris: [\"amqp://us\"], vhost: %q, management: {uris: [\"http://us\"]}}\n",
		eu.Name, us.Name)
	return start(t, config, map[string]broker.Broker{"eu": eu.driver("eu"), "us": us.driver("us")}, policies)
}

// start runs a gateway with these brokers. config is all of its file but the policies.
func start(t *testing.T, config string, brokers map[string]broker.Broker, policies string) *real {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := &transcript.Buffer{}
	g := &real{T: t, Federation: federation.New(ctx, slog.New(slog.NewTextHandler(log, nil))), config: config, brokers: brokers}
	g.stop = sync.OnceFunc(func() {
		cancel()
		g.Wait()
	})
	t.Cleanup(func() {
		g.stop()
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	g.apply(policies)
	return g
}

func (g *real) apply(policies string) {
	g.Helper()
	cfg, _, err := configs.Parse("weir.yaml", []byte(g.config+strings.ReplaceAll(policies, "\t", "  ")),
		func(string) (string, bool) { return "", false })
	if err != nil {
		g.Fatal(err)
	}
	g.Apply(cfg, func(name string) (broker.Broker, string) { return g.brokers[name], name })
}

// status is that of one link, empty while there is none.
func (g *real) status(name string) link.Status {
	if l, ok := g.Link(name); ok {
		return l.Status()
	}
	return link.Status{}
}

// equal waits until a link's bindings are mirrored, n of them.
func (g *real) equal(name string, n int) {
	g.Helper()
	eventually(g.T, fmt.Sprintf("%s mirrors %d bindings", name, n), func() bool {
		f := g.status(name).Federation
		return f != nil && !f.EqualAt.IsZero() && *f.Bindings == n
	})
}

// Another type of buffer is another generation: the old one is drained first, in order, then deleted.
func TestRabbitMQChangesGenerations(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.consumer("shop", "#")
		g := federate(t, eu, us, strings.Replace(fromUS, "broker: us", "broker: us, queue-type: classic", 1))
		g.equal("us/exchanges/catalog", 1)
		us.publish("a", "0")
		eu.gets("shop", "0")
		g.stop()
		us.publish("a", "1", "2")
		g = federate(t, eu, us, fromUS)
		g.equal("us/exchanges/catalog", 1)
		us.publish("a", "3", "4")
		eu.gets("shop", "1", "2", "3", "4")
		name := fmt.Sprintf("weir: catalog -> eu/%s/catalog", eu.Name)
		eventually(t, "the old generation has gone", func() bool {
			return !us.Get("queues/{vhost}/"+url.PathEscape(name), nil) && us.Get("queues/{vhost}/"+url.PathEscape(name+" (2)"), nil)
		})
		us.publish("a", "5")
		eu.gets("shop", "5")
	})
}

// One of two gateways of a site stands by, and goes on when the other has gone.
func TestRabbitMQOneOfTwoStandsBy(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.consumer("shop", "#")
		one := federate(t, eu, us, fromUS)
		one.equal("us/exchanges/catalog", 1)
		eventually(t, "the first one has the buffer", func() bool { return one.status("us/exchanges/catalog").State == link.Idle })
		two := federate(t, eu, us, fromUS)
		eventually(t, "the second stands by", func() bool { return two.status("us/exchanges/catalog").State == link.Standby })
		us.publish("a", "1")
		eu.gets("shop", "1")
		one.stop()
		us.publish("a", "2", "3")
		eu.gets("shop", "2", "3")
	})
}

// weir one way, RabbitMQ's plugin the other: each message is once on both sides, and each reads the other's headers.
func TestRabbitMQWithThePlugin(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.consumer("shop", "#")
		us.consumer("depot", "#")
		us.Parameter("federation-upstream", "eu", map[string]any{"uri": eu.URIs()[0], "max-hops": 2})
		us.Policy("catalog", "^catalog$", "exchanges", map[string]any{"federation-upstream": "eu"})
		g := federate(t, eu, us, strings.Replace(fromUS, "broker: us", "broker: us, max-hops: 2", 1))
		g.equal("us/exchanges/catalog", 1)
		eventually(t, "the plugin runs, and has bound", func() bool { // on the way there it may bind, begin anew, and bind again
			var links []struct{ Status string }
			var bindings []struct{ Destination string }
			us.Get("federation-links/{vhost}", &links)
			eu.Get("exchanges/{vhost}/catalog/bindings/source", &bindings)
			return len(links) == 1 && links[0].Status == "running" &&
				slices.ContainsFunc(bindings, func(b struct{ Destination string }) bool { return strings.HasPrefix(b.Destination, "federation: ") })
		})
		eu.publish("a", "made in eu")
		us.publish("a", "made in us")
		for queue, all := range map[string][]amqp091.Delivery{"shop": eu.take("shop", 2), "depot": us.take("depot", 2)} {
			if string(all[0].Body) == string(all[1].Body) {
				t.Errorf("%s got %q twice", queue, all[0].Body)
			}
		}
		// Nothing that the plugin has brought comes back, and nothing weir has brought goes back.
		eventually(t, "weir has brought what was made in us, and no more", func() bool {
			return g.status("us/exchanges/catalog").Counts.Confirmed == 1
		})
		g.equal("us/exchanges/catalog", 1)
	})
}

// Permissions that are missing are told on that link, and given later they are found.
func TestRabbitMQDenies(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.consumer("shop", "#")
		us.Permit(us.Username, "^$", ".*", ".*")
		g := federate(t, eu, us, strings.Replace(fromUS, "broker: us", "broker: us, reconnect-delay: 1s", 1))
		eventually(t, "the link is denied, with the error and when it tries again", func() bool {
			s := g.status("us/exchanges/catalog")
			return s.State == link.Denied && s.LastError != "" && !s.NextTry.IsZero()
		})
		eventually(t, "the policy has a problem with us, and no other", func() bool {
			p := g.Problems()
			return len(p) == 1 && p[0].Broker == "us" && p[0].Policy == "catalog"
		})
		us.Permit(us.Username, ".*", ".*", ".*")
		g.equal("us/exchanges/catalog", 1)
		us.publish("a", "1")
		eu.gets("shop", "1")
	})
}

// Headers exchanges are mirrored with their arguments, and what crosses has neither user-id nor password.
func TestRabbitMQHeadersExchange(t *testing.T) {
	onRabbitMQ(t, func(t *testing.T, eu, us region) {
		eu.must(eu.ch.ExchangeDeclare("catalog.by-region", "headers", true, false, false, false, nil))
		eu.consumer("shop")
		eu.must(eu.ch.QueueBind("shop", "", "catalog.by-region", false, amqp091.Table{"x-match": "all", "region": "eu", "size": int32(4)}))
		federate(t, eu, us, fromUS).equal("us/exchanges/catalog.by-region", 1)
		send := func(body string, headers amqp091.Table) {
			c, err := us.ch.PublishWithDeferredConfirm("catalog.by-region", "", false, false,
				amqp091.Publishing{Body: []byte(body), Headers: headers, UserId: us.Username})
			us.must(err)
			us.stored(c)
		}
		send("no", amqp091.Table{"region": "us", "size": int32(4)})
		send("yes", amqp091.Table{"region": "eu", "size": int32(4)})
		d := eu.gets("shop", "yes")[0]
		hop, _ := d.Headers["x-received-from"].([]any)[0].(amqp091.Table)
		if d.UserId != "" || strings.Contains(fmt.Sprint(hop), us.Password) {
			t.Errorf("user-id %q, hop %v", d.UserId, hop)
		}
		if hop["vhost"] != us.Name || hop["cluster-name"] != us.Broker.Name || hop["exchange"] != "catalog.by-region" {
			t.Errorf("hop %v", hop)
		}
	})
}
