package amqp_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/broker"
	"weir/tests/lab"
)

// Ensure sessions share connections, publishing and consuming ones apart; that a link which asks for it is alone; and that
// connections end with their last session.
func TestConnectionsShared(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	conf := config(v)
	conf.LinksPerConnection = 4
	b := newBroker(t, conf)
	at := broker.Address{Queue: "orders"}
	const links = 9
	var mu sync.Mutex
	var opened []interface{ Close() error }
	var open sync.WaitGroup
	for i := range links {
		open.Go(func() {
			link := fmt.Sprintf("link-%d", i)
			k, err := b.OpenSink(within(t), at, broker.SinkOptions{Link: link})
			s, err2 := b.OpenSource(within(t), at, broker.SourceOptions{Link: link, Window: 1})
			if err != nil || err2 != nil {
				t.Errorf("%v, %v", err, err2)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, k, s)
		})
	}
	open.Wait()
	k := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "poisoned", Alone: true}))(t)
	opened = append(opened, k)

	// 9 sinks and 9 sources, 4 a connection, and one alone.
	eventually(t, "seven connections", func() bool { return len(connections(v)) == 3+3+1 })
	names := connections(v)
	if !slices.Contains(names, "weir test: weir: poisoned (publish, alone)") {
		t.Errorf("%q: no connection for the one that is alone", names)
	}
	if n := len(slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(n, "(consume") })); n != 3 {
		t.Errorf("%d connections to consume, want 3", n)
	}
	for _, s := range opened {
		check(t, s.Close())
	}
	eventually(t, "no connection", func() bool { return len(connections(v)) == 0 })
}

// Ensure one session that RabbitMQ ends takes no neighbour with it.
func TestNeighbourStays(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		b := newBroker(t, config(v))
		bad := must(b.OpenSink(within(t), broker.Address{}, broker.SinkOptions{Link: "bad"}))(t)
		good := must(b.OpenSink(within(t), broker.Address{Queue: "orders"}, broker.SinkOptions{Link: "good"}))(t)
		send(t, bad, &broker.Message{Exchange: "no such exchange"}, broker.ErrUnroutable)
		await(t, "the end of the session", bad.Lost())
		send(t, good, &broker.Message{Body: []byte("1")}, nil)
		select {
		case <-good.Lost():
			t.Error("the neighbour was lost")
		default:
		}
		check(t, bad.Close())
		check(t, good.Close())
	})
}

// connections lists weir's connections to a vhost as the broker's own tools show them.
func connections(v *lab.VHost) (names []string) {
	var list []struct {
		Properties struct {
			Product, Version string
			Name             string `json:"connection_name"`
		} `json:"client_properties"`
	}
	v.Get("vhosts/{vhost}/connections", &list)
	for _, c := range list {
		if c.Properties.Product == "weir" {
			names = append(names, "weir "+c.Properties.Version+": "+c.Properties.Name)
		}
	}
	return names
}
