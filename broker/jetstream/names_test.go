package jetstream

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/broker"
)

func TestNamesAreThoseOfTheDesign(t *testing.T) {
	for _, c := range []struct {
		prefix, vhost, exchange, key string
		subject, stream              string
	}{
		{"", "/", "orders", "order.created", "x.orders.order.created", "x_orders"},
		{"", "/", "orders", "", "x.orders.%", "x_orders"},
		{"", "/", "", "work", "q.work", "q_work"},
		{"", "/", "", "work.eu/1", "q.work%2Eeu%2F1", "q_work%2Eeu%2F1"},
		{"", "/", "a b", "*.#.>.%.$x.", "x.a%20b.%2A.#.%3E.%25.%24x.%", "x_a%20b"},
		{"", "", "amq.topic", "k", "x.amq%2Etopic.k", "x_amq%2Etopic"},
		{"", "shop", "orders", "k", "shop.x.orders.k", "shop_x_orders"},
		{"acme.eu.", "shop", "orders", "k", "acme.eu.shop.x.orders.k", "acme%2Eeu_shop_x_orders"},
		{"", "x", "orders", "k", "%78.x.orders.k", "%78_x_orders"},
		{"", "a_x", "b", "k", "a%5Fx.x.b.k", "a%5Fx_x_b"},
		{"", "/", "Grüße", "\xff", "x.Grüße.%FF", "x_Grüße"},
	} {
		n := newNames(c.prefix, c.vhost)
		if got := n.subject(c.exchange, c.key); got != c.subject {
			t.Errorf("exchange %q key %q in %q: got subject %s, want %s", c.exchange, c.key, c.vhost, got, c.subject)
		}
		stream := n.exchangeStream(c.exchange)
		if c.exchange == "" {
			stream = n.queueStream(c.key)
		}
		if stream != c.stream {
			t.Errorf("exchange %q key %q in %q: got stream %s, want %s", c.exchange, c.key, c.vhost, stream, c.stream)
		}
		if x, k, ok := n.parse(c.subject); !ok || x != c.exchange || k != c.key {
			t.Errorf("%s reads back as %q, %q (%v), want %q, %q", c.subject, x, k, ok, c.exchange, c.key)
		}
	}
}

func TestForeignSubjectsAreNotRead(t *testing.T) {
	n := newNames("", "shop")
	for _, s := range []string{
		"", "shop", "shop.x", "shop.x.orders", "x.orders.k", "q.work", "shop.y.orders.k", "shopx.orders.k",
		"shop.q.a.b", "shop.q.%41", "shop.q.%2e", "shop.q.%2", "shop.q.a%", "shop.x..k", "shop.x.orders.a..b", "shop.x.*.k",
	} {
		if x, k, ok := n.parse(s); ok {
			t.Errorf("%s reads as exchange %q, key %q, want it foreign", s, x, k)
		}
	}
}

func TestLongNamesStayUniqueAndLegal(t *testing.T) {
	n := newNames("", "/")
	one, two := strings.Repeat("q", 300)+"1", strings.Repeat("q", 300)+"2"
	for _, make := range []func(string) string{n.queueStream, n.exchangeStream, n.durable} {
		if a, b := make(one), make(two); a == b || len(a) > maxName || len(b) > maxName {
			t.Errorf("got %s and %s, want two names of at most %d bytes", a, b, maxName)
		}
		for i := range 4 { // wherever in a letter the name is cut
			if name := make(strings.Repeat("q", i) + strings.Repeat("ж", 150)); !utf8.ValidString(name) || len(name) > maxName {
				t.Errorf("got %q, want at most %d bytes of UTF-8", name, maxName)
			}
		}
	}
}

func TestBindingKeysAreFilters(t *testing.T) {
	n := newNames("", "/")
	for _, c := range []struct {
		key  string
		want []string
	}{
		{"#", []string{"x.e.>"}},
		{"a.b", []string{"x.e.a.b"}},
		{"", []string{"x.e.%"}},
		{"a.*.b", []string{"x.e.a.*.b"}},
		{"a.#", []string{"x.e.a", "x.e.a.>"}},
		{"*.#", []string{"x.e.*", "x.e.*.>"}},
		{"a*.>", []string{"x.e.a%2A.%3E"}},
	} {
		if got, err := n.filters("e", c.key); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("binding key %q: got %v (%v), want %v", c.key, got, err, c.want)
		}
	}
	for _, key := range []string{"#.b", "a.#.b", "#.#"} {
		if got, err := n.filters("e", key); !errors.Is(err, broker.ErrUnsupported) {
			t.Errorf("binding key %q: got %v (%v), want ErrUnsupported", key, got, err)
		}
	}
}

// Whatever an exchange, a key and a vhost are called, they read back from the subject, and the subject and the names are
// legal in NATS.
func FuzzNames(f *testing.F) {
	f.Add("", "orders", "order.created")
	f.Add("shop", "", "work")
	f.Add("x", "a.b", "..")
	f.Add("q", "$%*>", " \t\r\n\x00\x7f")
	f.Add("_", "\xff\u00a0\u2028", "a.$b.é%41")
	f.Fuzz(func(t *testing.T, vhost, exchange, key string) {
		n := newNames("", vhost)
		s := n.subject(exchange, key)
		if x, k, ok := n.parse(s); !ok || x != exchange || k != key {
			t.Fatalf("%q reads back as %q, %q (%v), want %q, %q", s, x, k, ok, exchange, key)
		}
		for w := range strings.SplitSeq(s, ".") {
			if w == "" || strings.ContainsAny(w, " \t\r\n\x00*>") || strings.HasPrefix(w, "$") {
				t.Fatalf("subject %q has the word %q", s, w)
			}
		}
		for _, name := range []string{n.exchangeStream(exchange), n.queueStream(key), n.durable(key)} {
			if name == "" || len(name) > maxName || strings.ContainsAny(name, ". \t\r\n\f*>/\\") {
				t.Fatalf("name %q is not legal", name)
			}
		}
	})
}

// No two vhosts, and no two exchanges or queues of them, share a stream or a subject.
func FuzzNamesAreApart(f *testing.F) {
	f.Add("/", "x", "orders.a", "x", "orders", "a")
	f.Add("a", "x_b", "k", "a_x", "b", "k")
	f.Add("/", "", "x", "x", "", "x")
	f.Fuzz(func(t *testing.T, vhost1, exchange1, key1, vhost2, exchange2, key2 string) {
		root := func(v string) string {
			if v == "" {
				return "/"
			}
			return v
		}
		one, two := newNames("", vhost1), newNames("", vhost2)
		same := root(vhost1) == root(vhost2) && exchange1 == exchange2
		if (one.exchangeStream(exchange1) == two.exchangeStream(exchange2)) != same {
			t.Fatalf("exchanges %q in %q and %q in %q: streams %q and %q", exchange1, vhost1, exchange2, vhost2,
				one.exchangeStream(exchange1), two.exchangeStream(exchange2))
		}
		if one.exchangeStream(exchange1) == two.queueStream(key2) {
			t.Fatalf("exchange %q in %q and queue %q in %q share a stream", exchange1, vhost1, key2, vhost2)
		}
		if (one.subject(exchange1, key1) == two.subject(exchange2, key2)) != (same && key1 == key2) {
			t.Fatalf("%q, %q, %q and %q, %q, %q: subjects %q and %q", vhost1, exchange1, key1, vhost2, exchange2, key2,
				one.subject(exchange1, key1), two.subject(exchange2, key2))
		}
	})
}
