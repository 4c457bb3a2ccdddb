package jetstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCover(t *testing.T) {
	n := newNames("p", "")
	for _, c := range []struct {
		kind string
		keys []string
		want string
	}{
		{"topic", nil, "p.x.e"}, // nothing: the stream stores p.x.e.> alone
		{"topic", []string{"#"}, "p.x.e.>"},
		{"topic", []string{"a.b"}, "p.x.e.a.b"},
		{"topic", []string{"a.*", "a.b", "a.*"}, "p.x.e.a.*"},
		{"topic", []string{"a.*", "*.b"}, "p.x.e.*.b p.x.e.a.*"}, // JetStream minds only what is contained
		{"topic", []string{"a.#"}, "p.x.e.a p.x.e.a.>"},
		{"topic", []string{"a.#", "a.b.#", "a.*", "a"}, "p.x.e.a p.x.e.a.>"},
		{"topic", []string{"a.#.#"}, "p.x.e.a p.x.e.a.>"},
		{"topic", []string{"a.#.b"}, "p.x.e.a.>"},
		{"topic", []string{"#.b", "a"}, "p.x.e.>"},
		{"topic", []string{"*.*", "a.b", "*.b"}, "p.x.e.*.*"},
		{"topic", []string{""}, "p.x.e.%"},
		{"topic", []string{"a b", "a..b"}, "p.x.e.a%20b p.x.e.a.%.b"},
		{"direct", []string{"a.*", "#", "a"}, "p.x.e.# p.x.e.a p.x.e.a.%2A"},
		{"fanout", []string{"whatever"}, "p.x.e.>"},
		{"headers", []string{""}, "p.x.e.>"},
		{"x-consistent-hash", []string{"10"}, "p.x.e.>"},
	} {
		if got := strings.Join(n.cover("e", c.kind, c.keys), " "); got != c.want {
			t.Errorf("%s exchange, keys %q: got %s, want %s", c.kind, c.keys, got, c.want)
		}
	}
}

// Whatever the keys, what a binding wants comes through, and no filter is contained in another.
func TestCoverAtRandom(t *testing.T) {
	n := newNames("", "")
	word := func(from string) string { return string(from[rand.IntN(len(from))]) }
	key := func(from string) string {
		k := word(from)
		for range rand.IntN(4) {
			k += "." + word(from)
		}
		return k
	}
	for range 2000 {
		var bound []string
		for range 1 + rand.IntN(6) {
			bound = append(bound, key("aabbc**#"))
		}
		filters := n.cover("e", "topic", bound)
		for range 50 {
			k := key("abc")
			subject := n.subject("e", k)
			wanted := slices.ContainsFunc(bound, func(b string) bool { return bindingMatches(b, k) })
			covered := slices.ContainsFunc(filters, func(f string) bool { return matches(f, subject) })
			if wanted && !covered {
				t.Fatalf("bound by %q, filters %q: %s does not come through", bound, filters, k)
			}
		}
		for i, f := range filters {
			for j, g := range filters {
				if i != j && matches(f, strings.NewReplacer("*", "star", ">", "tail.more").Replace(g)) && !strings.Contains(g, ">") {
					t.Fatalf("bound by %q: %s contains %s", bound, f, g)
				}
			}
		}
	}
}

// bindingMatches is a topic exchange's match, the plain way.
func bindingMatches(pattern, key string) bool {
	var match func(p, k []string) bool
	match = func(p, k []string) bool {
		switch {
		case len(p) == 0:
			return len(k) == 0
		case p[0] == "#":
			return match(p[1:], k) || len(k) > 0 && match(p, k[1:])
		}
		return len(k) > 0 && (p[0] == "*" || p[0] == k[0]) && match(p[1:], k[1:])
	}
	return match(strings.Split(pattern, "."), strings.Split(key, "."))
}

// Thousands of bindings become as many filters as a server takes, by their first words.
func TestCoverIsBounded(t *testing.T) {
	n := newNames("", "")
	var keys []string
	for shop := range 100 {
		for item := range 100 {
			keys = append(keys, fmt.Sprintf("shop%d.item%d", shop, item))
		}
	}
	filters := n.cover("e", "topic", append(keys, "total"))
	if len(filters) != 101 || !slices.Contains(filters, "x.e.shop7.>") || !slices.Contains(filters, "x.e.total") {
		t.Errorf("got %d filters, such as %s, want one for each shop and the total", len(filters), filters[0])
	}
	for i := range keys {
		keys[i] = fmt.Sprint("item", i)
	}
	if got := n.cover("e", "direct", keys); len(got) != 1 || got[0] != "x.e.>" {
		t.Errorf("got %d filters, want one for all", len(got))
	}
}

// What a binding key becomes is read back as a key that wants the same.
func TestBindingKeysOfFilters(t *testing.T) {
	n := newNames("p", "shop")
	for _, c := range []struct {
		filters []string
		want    []string
	}{
		{nil, []string{"#"}},
		{[]string{"p.shop.x.e.>"}, []string{"#"}},
		{[]string{"p.>"}, []string{"#"}},
		{[]string{"*.*.x.*.a"}, []string{"a"}},
		{[]string{"p.shop.x.e.a.*.b"}, []string{"a.*.b"}},
		{[]string{"p.shop.x.e.a.>"}, []string{"a.*.#"}},
		{[]string{"p.shop.x.e.a", "p.shop.x.e.a.>"}, []string{"a.#"}},
		{[]string{"p.shop.x.e.*.a", "p.shop.x.e.*.a.>", "p.shop.x.e.b"}, []string{"*.a.#", "b"}},
		{[]string{"p.shop.x.e.a%20b.%"}, []string{"a b."}},
		{[]string{"p.shop.x.e.%"}, []string{""}},
		{[]string{"p.shop.x.e.a.#"}, []string{"a.*"}}, // literally, which a key cannot say
		{[]string{"p.shop.x.e"}, nil},
		{[]string{"p.shop.x.other.a", "p.x.e.a", "q.>"}, nil},
	} {
		if got := n.bindingKeys("e", c.filters); !slices.Equal(got, c.want) {
			t.Errorf("filters %q: got %q, want %q", c.filters, got, c.want)
		}
	}
	for _, key := range []string{"#", "a", "a.*", "a.#", "*.#", "", "a b", "ü.%"} {
		if got := n.bindingKeys("e", n.cover("e", "topic", []string{key})); len(got) != 1 || got[0] != key && !(key == "*.#" && got[0] == "*.#") {
			t.Errorf("key %q comes back as %q", key, got)
		}
	}
}
