package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"weir/broker"
	"weir/broker/memory"
)

const shovelling = `site: eu
brokers:
  eu: {type: nats, uris: [nats://eu]}
  us: {type: nats, uris: [nats://us]}
shovels:
  audit:  {source: {broker: us, exchange: audit}, destinations: [{broker: eu, queue: audit}]}
  orders: {source: {broker: us, exchange: audit}, destinations: [{broker: eu, queue: orders}]}
`

// A shovel that reads an exchange leaves its queue bound when it goes, and that fills for ever: it is a leftover, and goes
// like one. That of a shovel that runs is none, also where its cluster is declared under a second name.
func TestTheQueueOfAShovelThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, shovelling, func(s *site) { s.us.DeclareExchange("audit", memory.Fanout) })
		s.reload(strings.Replace(shovelling, "shovels:", "  again: {type: nats, uris: [nats://us]}\nshovels:", 1))
		settle()
		if left, err := s.Leftovers(t.Context()); len(left) != 0 || err != nil {
			t.Fatalf("leftovers while both run: %v, %v", left, err)
		}
		s.reload(strings.Replace(shovelling, "  audit:", "  renamed:", 1))
		settle()
		publish := func() {
			t.Helper()
			if err := s.us.Publish(&broker.Message{Exchange: "audit", Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			settle()
		}
		publish()
		left, err := s.Leftovers(t.Context())
		if len(left) != 1 || err != nil || left[0].Broker != "us" || left[0].Name != "weir: shovel eu/audit" ||
			left[0].Exchange != "audit" || *left[0].Messages != 1 {
			t.Fatalf("leftovers %+v, %v", left, err)
		}
		for _, name := range []string{"weir: shovel eu/renamed", "weir: shovel eu/orders", "orders"} {
			if err := s.Remove(t.Context(), "us", name, true); !errors.Is(err, broker.ErrNotFound) {
				t.Errorf("remove %s: %v, want ErrNotFound", name, err)
			}
		}
		if err := s.Remove(t.Context(), "us", left[0].Name, false); !errors.Is(err, broker.ErrInUse) {
			t.Errorf("remove what holds a message: %v, want ErrInUse", err)
		}
		if err := s.Remove(t.Context(), "us", left[0].Name, true); err != nil {
			t.Error(err)
		}
		publish()
		if left, err := s.Leftovers(t.Context()); len(left) != 0 || err != nil {
			t.Errorf("leftovers in the end: %v, %v", left, err)
		}
		expectBodies(t, s.eu, "orders", "x", "x")
	})
}
