package federation

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/broker"
	"weir/configs"
)

func TestWantedBindings(t *testing.T) {
	us, eu := broker.Identity{Cluster: "us", VHost: "/"}, broker.Identity{Cluster: "eu", VHost: "shop"}
	from := func(cluster string, hops any) broker.Table {
		return broker.Table{"cluster-name": cluster, "vhost": "/", "exchange": "/:catalog A", "hops": hops}
	}
	bound := func(entries ...any) broker.Table { return broker.Table{boundFrom: broker.Array(entries)} }
	for name, c := range map[string]struct {
		maxHops int
		have    []broker.Binding
		want    string // key, hops of each entry
	}{
		"none":                          {1, nil, ""},
		"equal ones are one":            {1, []broker.Binding{{Destination: "a", Key: "k"}, {Destination: "b", Key: "k"}, {Destination: "x", ToExchange: true, Key: "k"}}, "k[1]"},
		"arguments tell apart":          {2, []broker.Binding{{Key: "k"}, {Key: "k", Arguments: broker.Table{"a": true}}}, "k[2] k[2]"},
		"of another link, one hop left": {2, []broker.Binding{{Key: "k", Arguments: bound(from("ap", int64(2)))}}, "k[1 2]"},
		"no hop left":                   {2, []broker.Binding{{Key: "k", Arguments: bound(from("ap", int16(1)))}}, ""},
		"this link allows fewer":        {1, []broker.Binding{{Key: "k", Arguments: bound(from("ap", float64(9)))}}, "k[1 9]"},
		"made for the upstream":         {3, []broker.Binding{{Key: "k", Arguments: bound(from("ap", int16(3)), from("us", int16(3)))}}, ""},
		"each of other links":           {3, []broker.Binding{{Key: "k", Arguments: bound(from("ap", int16(3)))}, {Key: "k", Arguments: bound(from("af", int16(3)))}, {Key: "k"}}, "k[2 3] k[2 3] k[3]"},
		"forged: negative":              {3, []broker.Binding{{Key: "k", Arguments: bound(from("ap", int16(-7)))}}, ""},
		"forged: no list":               {3, []broker.Binding{{Key: "k", Arguments: broker.Table{boundFrom: "x"}}}, ""},
		"forged: no hops":               {3, []broker.Binding{{Key: "k", Arguments: bound("x")}}, ""},
		"more than fits":                {100_000, []broker.Binding{{Key: "k"}}, "k[32767]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pair{exchange: &broker.Exchange{Name: "catalog"}}
			p.upstream.MaxHops = c.maxHops
			var got []string
			for _, b := range wanted(c.have, p, us, eu) {
				var hops []string
				for i, item := range b.Arguments[boundFrom].(broker.Array) {
					entry := item.(broker.Table)
					hops = append(hops, fmt.Sprint(entry["hops"]))
					if i == 0 && (entry["cluster-name"] != "eu" || entry["vhost"] != "shop" || entry["exchange"] != "shop:catalog A") {
						t.Errorf("the entry is %v", entry)
					}
				}
				got = append(got, fmt.Sprintf("%s[%s]", b.Key, strings.Join(hops, " ")))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

// Bindings read from a management API have lost their types, and must not look different for it.
func TestBindingsAreComparedByValue(t *testing.T) {
	a := broker.Binding{Key: "k", Arguments: broker.Table{"n": int16(1), "t": broker.Table{"x": broker.Array{int8(3), "s"}}, "b": []byte("b")}}
	b := broker.Binding{Key: "k", Arguments: broker.Table{"n": float64(1), "t": broker.Table{"x": broker.Array{int64(3), "s"}}, "b": "b"}}
	c := broker.Binding{Key: "k", Arguments: broker.Table{"n": "1", "t": broker.Table{"x": broker.Array{int64(3), "s"}}, "b": "b"}}
	add, remove := difference([]broker.Binding{a, c}, []broker.Binding{b, {Key: "gone"}})
	if len(add) != 1 || add[0].Arguments["n"] != "1" || len(remove) != 1 || remove[0].Key != "gone" {
		t.Errorf("add %v, remove %v", add, remove)
	}
}

func TestPoliciesPick(t *testing.T) {
	policy := func(name, pattern string, to configs.ApplyTo, priority int) configs.Policy {
		return configs.Policy{Name: name, Downstream: "eu", Pattern: pattern, ApplyTo: to, Priority: priority}
	}
	all := rules(&configs.Config{Policies: map[string]configs.Policy{
		"everything": policy("everything", "", configs.ApplyToAll, 0),
		"classic":    policy("classic", "^work", configs.ApplyToClassicQueues, 1),
		"quorum":     policy("quorum", "^work", configs.ApplyToQuorumQueues, 1),
		"items":      policy("items", "^items", configs.ApplyToExchanges, 2),
		"items2":     policy("items2", "^items", configs.ApplyToExchanges, 2),
		"topic":      policy("topic", `^amq\.topic$`, configs.ApplyToExchanges, 0),
		"elsewhere":  {Name: "elsewhere", Downstream: "us", Priority: 9},
	}}, "eu")
	for _, c := range []struct {
		what any
		want string
	}{
		{broker.Exchange{Name: "orders"}, "everything"},
		{broker.Exchange{Name: "items.new"}, "items"},
		{broker.Exchange{Name: "work"}, "everything"},
		{broker.Exchange{Name: ""}, ""},
		{broker.Exchange{Name: "orders", Internal: true}, ""},
		{broker.Exchange{Name: "orders", AutoDelete: true}, ""},
		{broker.Exchange{Name: "orders", Arguments: broker.Table{"x-internal-purpose": "federation"}}, ""},
		{broker.Exchange{Name: "weir: catalog -> eu///catalog"}, ""},
		{broker.Exchange{Name: "federation: catalog -> eu A"}, ""},
		{broker.Exchange{Name: "amq.topic"}, "topic"},
		{broker.Exchange{Name: "amq.direct"}, ""},
		{broker.Queue{Name: "work.a", Type: "classic"}, "classic"},
		{broker.Queue{Name: "work.a", Type: "quorum"}, "quorum"},
		{broker.Queue{Name: "items", Type: "quorum"}, "everything"},
		{broker.Queue{Name: "work.a", Type: "stream"}, ""},
		{broker.Queue{Name: "work.a", Type: "classic", Exclusive: true}, ""},
		{broker.Queue{Name: "work.a", Type: "classic", AutoDelete: true}, ""},
		{broker.Queue{Name: "weir: shovel eu/orders", Type: "classic"}, ""},
	} {
		var got rule
		switch what := c.what.(type) {
		case broker.Exchange:
			got, _ = ruleForExchange(all, what)
		case broker.Queue:
			got, _ = ruleForQueue(all, what)
		}
		if got.Name != c.want {
			t.Errorf("%+v: policy %q, want %q", c.what, got.Name, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("ä", 120)
	for _, c := range []struct{ upstream, exchange, downstream, link, buffer string }{
		{"catalog", "", "", "us/exchanges/catalog", "weir: catalog -> eu/shop/catalog"},
		{"catalog", "goods", "", "us:goods/exchanges/catalog", "weir: goods -> eu/shop/catalog"},
		{"catalog", "catalog", "", "us/exchanges/catalog", "weir: catalog -> eu/shop/catalog"},
		{"catalog", "", "eu2", "us/eu2/exchanges/catalog", "weir: catalog -> eu:eu2/shop/catalog"},
	} {
		p := pair{site: "eu", local: c.downstream == "", to: end{name: c.downstream, vhost: "shop"}, exchange: &broker.Exchange{Name: c.upstream}}
		p.upstream.Name, p.upstream.Exchange = "us", c.exchange
		if got := p.name(); got != c.link {
			t.Errorf("link %q, want %q", got, c.link)
		}
		if got := bufferName(p); got != c.buffer {
			t.Errorf("buffer %q, want %q", got, c.buffer)
		}
	}
	p := pair{site: "eu", local: true, to: end{vhost: "shop"}, exchange: &broker.Exchange{Name: long + "1"}}
	q := p
	q.exchange = &broker.Exchange{Name: long + "2"}
	one, two := bufferName(p), bufferName(q)
	if one == two || len(one) > longestName || !utf8.ValidString(one) || !isFor(one, "eu/shop/") {
		t.Errorf("long names: %q and %q", one, two)
	}
	for name, want := range map[string]int{one: 1, one + " (2)": 2, one + " (12)": 12, "weir: x (y) -> eu///x": 1, "weir: x -> eu///x (1)": 1, "weir: x -> eu///x (02)": 1} {
		base, n := splitGeneration(name)
		if n != want || generation(base, n) != name {
			t.Errorf("%q is generation %d of %q, want %d", name, n, base, want)
		}
	}
}
