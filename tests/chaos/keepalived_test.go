package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
	"weir/tests/shop"
)

// viaVIP is two links behind one virtual IP: a shovel from eu to us, and a federated exchange from us to ap.
const viaVIP = `version: 1
site: gw
local: ap
brokers:
  eu: %s
  us: %s
  ap: %s
upstreams:
  us: {broker: us, prefetch-count: 200}
policies:
  orders: {pattern: ^orders$, apply-to: exchanges, definition: {federation-upstream: us}}
shovels:
  orders:
    source: {broker: eu, queue: orders, prefetch-count: 200}
    destinations: [{broker: us, exchange: orders, routing-key: order.created}]
`

const vipWindow = 200 // what each link may have in flight

// Ensure links whose brokers are behind HAProxy and keepalived, and only there, lose nothing and go on by themselves when the
// virtual IP moves: because HAProxy died (connections are reset), because a cable was pulled (nobody says a word), and when nobody
// has the address for a while. What comes twice was in flight. Status tells meanwhile what is wrong, and since when.
func TestVirtualIPMoves(t *testing.T) {
	t.Parallel()
	broker := lab.RabbitMQ(t, "newest")
	vip := newVirtualIP(t, broker)
	lb1, lb2 := vip.balancers[0], vip.balancers[1]
	var regions []shop.Rabbit
	var yaml []any
	for range 3 {
		r := shop.Rabbit{VHost: broker.VHost(t)}
		r.Declare(t, "orders")
		regions = append(regions, r)
		yaml = append(yaml, vip.yaml(r.VHost))
	}
	weir := built.StartOn(t, vip.gateway, fmt.Sprintf(viaVIP, yaml...))
	await.That(t, time.Minute, "ready: the shovel open, the buffer of the federated exchange bound", func() bool {
		all := weir.Statuses()
		return len(all) == 2 && !slices.ContainsFunc(all, func(s link.Status) bool {
			return s.State != link.Idle || s.Federation != nil && s.Federation.EqualAt.IsZero()
		})
	})
	flow := newFlow(t, regions[0], regions[1:]...)
	flow.goesOn("from the start", 1)

	lb1.haproxy.Kill()
	vip.moves(lb2)
	await.That(t, time.Minute, "missed by keepalived", func() bool { return lb1.says("VRRP_Script(haproxy) failed") > 0 })
	flow.goesOn("after HAProxy died", 1)

	recovered := lb1.says("VRRP_Script(haproxy) succeeded")
	lb1.startHAProxy()
	await.That(t, time.Minute, "fit to take the address again", func() bool {
		return lb1.says("VRRP_Script(haproxy) succeeded") > recovered
	})
	flow.goesOn("after HAProxy came back", 1000) // which takes some 4 s
	if lb1.says("received lower priority") > 0 {
		t.Error("lb1 has taken the address from one that is well, which ends all connections for nothing")
	}

	lb2.Unplug()
	vip.moves(lb1)
	flow.goesOn("after a cable was pulled", 1)
	lb2.Plug()

	began := time.Now()
	lb1.Unplug()
	lb2.Unplug()
	down(t, weir, began)
	lb2.Plug()
	lb1.Plug()
	await.That(t, time.Minute, "held by one", func() bool { return vip.holder() != nil })
	flow.goesOn("after nobody had the address", 1)

	moves := lb1.says("Entering MASTER STATE") + lb2.says("Entering MASTER STATE")
	flow.end(2 * vipWindow * moves) // what was sent, and then what was received, each once a move
	lb1.Unplug()
	lb2.Unplug()
	began = time.Now()
	if code := weir.Terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("without the address weir stopped in %v", tenths(time.Since(began)))
}

// down waits until status has told of every link that it is not well, why, and since when.
func down(t *testing.T, weir *built.Gateway, began time.Time) {
	t.Helper()
	told := map[string]bool{}
	await.That(t, time.Minute, "told by status that the brokers are away", func() bool {
		for _, s := range weir.Statuses() {
			ill := (s.State == link.Retrying || s.State == link.Holding) && s.Reason != "" && s.Since.After(began)
			if ill && !told[s.Name] {
				t.Logf("%s is %s after %v: %s", s.Name, s.State, tenths(s.Since.Sub(began)), s.Reason)
				told[s.Name] = true
			}
		}
		return len(told) == 2
	})
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
