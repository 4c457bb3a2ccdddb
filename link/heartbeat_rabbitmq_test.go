package link_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"weir/broker"
	"weir/broker/amqp"
	"weir/link"
	"weir/tests/lab"
)

// patience is how long anything may take on a machine that is busy.
const patience = 90 * time.Second

// On the oldest and the newest RabbitMQ, beside each other: a link whose heartbeats come back, and one that may not write
// to its source. Both bring over their message and nothing else.
func TestHeartbeatOnRabbitMQ(t *testing.T) {
	for _, version := range []string{"3.10", "newest"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			v := lab.RabbitMQ(t, version).VHost(t)
			reader, password := v.User("reader")
			v.Permit(reader, "", "", ".*")
			ch := v.Channel()
			for _, name := range []string{"in", "shy", "out", "dead"} {
				_, err := ch.QueueDeclare(name, true, false, false, false, amqp091.Table{
					"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
				})
				must(t, err)
			}
			to := driver(t, v, v.Username, v.Password)
			in := runs(t, "in", to, to)
			shy := runs(t, "shy", driver(t, v, reader, password), to)
			eventually(t, "a heartbeat is back", func() bool { return in.Status().Heartbeat.Seconds != nil })
			first := in.Status().Heartbeat.LastAt
			eventually(t, "it is told that none can be sent", func() bool { return shy.Status().Heartbeat.Problem != "" })
			for _, queue := range []string{"in", "shy"} {
				must(t, ch.Publish("", queue, false, false, amqp091.Publishing{Body: []byte("order")}))
			}
			eventually(t, "the orders have arrived", func() bool {
				return in.Status().Counts.Confirmed == 1 && shy.Status().Counts.Confirmed == 1
			})
			eventually(t, "another is back", func() bool { return in.Status().Heartbeat.LastAt.After(first) })
			for _, l := range []*link.Link{in, shy} {
				if s := l.Status(); s.Counts.Received != 1 || s.Counts.Filtered != 0 || s.Counts.Reconnects != 0 {
					t.Errorf("%s: %+v", s.Name, s.Counts)
				}
			}
			for queue, want := range map[string]int{"shy": 0, "out": 2, "dead": 0} {
				eventually(t, fmt.Sprintf("%d messages are in %s", want, queue), func() bool {
					q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
					must(t, err)
					return q.Messages == want
				})
			}
		})
	}
}

// driver makes weir's broker of a virtual host, closed in the end.
func driver(t *testing.T, v *lab.VHost, user, password string) *amqp.Broker {
	t.Helper()
	c := amqp.Config{Name: "eu", VHost: v.Name, ClusterName: "eu"}
	c.Credentials = func() (string, string, error) { return user, password, nil }
	for _, uri := range v.URIs() {
		u, err := url.Parse(uri)
		must(t, err)
		c.URIs = append(c.URIs, u.Scheme+"://"+u.Host)
	}
	b := amqp.New(c, slog.New(slog.DiscardHandler))
	t.Cleanup(b.Close)
	return b
}

// runs is a link from a queue to the queue out, with a heartbeat a second, until the end of the test.
func runs(t *testing.T, queue string, from, to broker.Broker) *link.Link {
	t.Helper()
	return starts(t, link.Spec{
		Name: queue, Kind: link.Shovel, Site: "eu", Heartbeat: time.Second,
		Source: link.Origin{
			Name: "eu", Broker: from, At: broker.Address{Queue: queue}, Options: broker.SourceOptions{Predeclared: true},
		},
		Destination: link.To{
			Name: "eu", Broker: to, At: broker.Address{Queue: "out"}, Options: broker.SinkOptions{Predeclared: true},
		},
	})
}

// starts runs a link until the test ends.
func starts(t *testing.T, spec link.Spec) *link.Link {
	t.Helper()
	l := link.New(spec, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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
