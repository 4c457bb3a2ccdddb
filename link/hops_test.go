package link_test

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"weir/broker"
	"weir/link"
)

var (
	eu = broker.Identity{Cluster: "rabbit@eu", VHost: "shop", URI: "amqp://eu/shop"}
	us = broker.Identity{Cluster: "rabbit@us", VHost: "shop", URI: "amqp://us/shop"}
)

// list is a hop list as RabbitMQ writes it.
func list(entries ...any) broker.Table { return broker.Table{link.ReceivedFrom: broker.Array(entries)} }

func left(i broker.Identity) broker.Table {
	return broker.Table{"uri": i.URI, "exchange": "orders", "redelivered": false, "cluster-name": i.Cluster, "vhost": i.VHost}
}

func TestHopCountAndVisited(t *testing.T) {
	otherVHost := broker.Identity{Cluster: eu.Cluster, VHost: "test"}
	for name, c := range map[string]struct {
		headers broker.Table
		count   int
		visited bool // by eu
	}{
		"no headers":                {nil, 0, false},
		"other headers":             {broker.Table{"x": "y"}, 0, false},
		"one hop":                   {list(left(eu)), 1, true},
		"two hops":                  {list(left(us), left(eu)), 2, true},
		"elsewhere":                 {list(left(us)), 1, false},
		"another vhost":             {list(left(otherVHost)), 1, false},
		"a string":                  {broker.Table{link.ReceivedFrom: "eu"}, 0, false},
		"a table":                   {broker.Table{link.ReceivedFrom: left(eu)}, 0, false},
		"nil":                       {broker.Table{link.ReceivedFrom: nil}, 0, false},
		"an empty list":             {list(), 0, false},
		"a list of strings":         {list("rabbit@eu"), 1, false},
		"a hop without its place":   {list(broker.Table{"uri": "amqp://eu"}), 1, false},
		"a cluster of bytes":        {list(broker.Table{"cluster-name": []byte("rabbit@eu"), "vhost": "shop"}), 1, false},
		"a cluster that is a table": {list(broker.Table{"cluster-name": broker.Table{}, "vhost": broker.Array{}}), 1, false},
		"malformed, then good":      {list(7, left(eu)), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			if n := link.HopCount(c.headers); n != c.count {
				t.Errorf("count %d, want %d", n, c.count)
			}
			if v := link.Visited(c.headers, eu); v != c.visited {
				t.Errorf("visited %v, want %v", v, c.visited)
			}
		})
	}
}

func TestWithHop(t *testing.T) {
	hop := func(more broker.Table) broker.Table {
		e := broker.Table{"uri": eu.URI, "redelivered": true, "cluster-name": eu.Cluster, "vhost": eu.VHost}
		maps.Copy(e, more)
		return e
	}
	onQueue, onExchange := broker.Table{"queue": "q"}, broker.Table{"exchange": "x"}
	for name, c := range map[string]struct {
		before broker.Table
		hop    link.Hop
		after  broker.Table
	}{
		"the first": {nil, link.Hop{Left: eu, Queue: "q", Redelivered: true}, list(hop(onQueue))},
		"the newest is first": {
			list(left(us)), link.Hop{Left: eu, Exchange: "x", Redelivered: true}, list(hop(onExchange), left(us))},
		"other headers stay": {
			broker.Table{"a": int32(1)}, link.Hop{Left: eu, Queue: "q", Redelivered: true},
			broker.Table{"a": int32(1), link.ReceivedFrom: broker.Array{hop(onQueue)}}},
		"what is no list is moved aside": {
			broker.Table{link.ReceivedFrom: "spam"}, link.Hop{Left: eu, Queue: "q", Redelivered: true},
			broker.Table{link.ReceivedFrom: broker.Array{hop(onQueue)},
				"x-invalid-headers": broker.Table{link.ReceivedFrom: broker.Array{"spam"}}}},
		"nil is moved aside": {
			broker.Table{link.ReceivedFrom: nil}, link.Hop{Left: eu, Queue: "q", Redelivered: true},
			broker.Table{link.ReceivedFrom: broker.Array{hop(onQueue)},
				"x-invalid-headers": broker.Table{link.ReceivedFrom: broker.Array{nil}}}},
		"on top of what was moved aside before": {
			broker.Table{link.ReceivedFrom: int64(7), "x-invalid-headers": broker.Table{"other": broker.Array{"y"},
				link.ReceivedFrom: broker.Array{"spam"}}},
			link.Hop{Left: eu, Queue: "q", Redelivered: true},
			broker.Table{link.ReceivedFrom: broker.Array{hop(onQueue)},
				"x-invalid-headers": broker.Table{"other": broker.Array{"y"}, link.ReceivedFrom: broker.Array{int64(7), "spam"}}}},
		"an x-invalid-headers of the wrong type is replaced": {
			broker.Table{link.ReceivedFrom: "spam", "x-invalid-headers": "spam"},
			link.Hop{Left: eu, Queue: "q", Redelivered: true},
			broker.Table{link.ReceivedFrom: broker.Array{hop(onQueue)},
				"x-invalid-headers": broker.Table{link.ReceivedFrom: broker.Array{"spam"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			was := fmt.Sprintf("%#v", c.before)
			got := link.WithHop(c.before, c.hop)
			if !reflect.DeepEqual(got, c.after) {
				t.Errorf("got  %v\nwant %v", got, c.after)
			}
			if now := fmt.Sprintf("%#v", c.before); now != was {
				t.Errorf("the original was changed: %s, was %s", now, was)
			}
			if !link.Visited(got, eu) || link.HopCount(got) < 1 {
				t.Error("the hop does not count")
			}
		})
	}
}

// FuzzHops: whatever others have written into the headers, a hop is added in front and nothing is changed in place.
func FuzzHops(f *testing.F) {
	f.Add([]byte{0}, "eu", "/")
	f.Add([]byte{7, 7, 1, 2, 3, 8, 0}, "rabbit@eu", "shop")
	f.Add([]byte{6, 5, 5, 4, 9}, "", "")
	f.Fuzz(func(t *testing.T, shape []byte, cluster, vhost string) {
		headers := broker.Table{"kept": "yes"}
		if len(shape) > 0 {
			headers[link.ReceivedFrom] = value(&shape, cluster, vhost, 0)
		}
		if len(shape) > 0 {
			headers["x-invalid-headers"] = value(&shape, cluster, vhost, 0)
		}
		place := broker.Identity{Cluster: cluster, VHost: vhost}
		was, count := fmt.Sprintf("%#v", headers), link.HopCount(headers)
		_ = link.Visited(headers, place)
		got := link.WithHop(headers, link.Hop{Left: place, Queue: "q"})
		if link.HopCount(got) != count+1 {
			t.Errorf("%d hops became %d", count, link.HopCount(got))
		}
		if !link.Visited(got, place) {
			t.Error("the place that was left does not count as visited")
		}
		if got["kept"] != "yes" {
			t.Error("another header was lost")
		}
		if now := fmt.Sprintf("%#v", headers); now != was {
			t.Errorf("the original was changed: %s, was %s", now, was)
		}
	})
}

// value makes a header value of any type out of bytes.
func value(shape *[]byte, cluster, vhost string, depth int) any {
	if len(*shape) == 0 || depth > 8 {
		return nil
	}
	kind := (*shape)[0]
	*shape = (*shape)[1:]
	next := func() any { return value(shape, cluster, vhost, depth+1) }
	switch kind % 9 {
	case 0:
		return nil
	case 1:
		return cluster
	case 2:
		return int64(kind)
	case 3:
		return []byte(vhost)
	case 4:
		return true
	case 5:
		return broker.Array{next(), next()}
	case 6:
		return broker.Table{"cluster-name": next(), "vhost": next()}
	case 7:
		return broker.Array{broker.Table{"cluster-name": cluster, "vhost": vhost}, next()}
	}
	return broker.Table{link.ReceivedFrom: next()}
}
