package gateway

import (
	"os"
	"slices"
	"strings"
	"testing"

	"weir/configs"
)

const federating = `site: hub
local: eu
brokers:
  eu: {type: nats, uris: [nats://eu]}
  us: {type: nats, uris: [nats://us]}
  ap: {type: nats, uris: [nats://ap]}
upstreams:
  us: {broker: us, max-hops: 2}
upstream-sets:
  all-of-them: [{upstream: us, max-hops: 1}]
policies:
  catalog: {pattern: ^catalog, apply-to: exchanges, definition: {federation-upstream-set: all-of-them}}
  orders:  {pattern: ^orders, apply-to: queues, definition: {federation-upstream: us}}
`

// Ensure a reload tells what of federation has changed, and nothing where nothing has.
func TestFederatedChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change [2]string
		want   []string
	}{
		"nothing":      {},
		"an upstream":  {[2]string{"max-hops: 2", "max-hops: 3"}, []string{"upstreams.us"}},
		"a set":        {[2]string{"max-hops: 1", "max-hops: 3"}, []string{"upstream-sets.all-of-them"}},
		"a policy":     {[2]string{"^catalog", "^catalogue"}, []string{"policies.catalog"}},
		"a broker":     {[2]string{"nats://us", "nats://us-2"}, []string{"brokers.us"}},
		"another's":    {[2]string{"nats://ap", "nats://ap-2"}, nil},
		"another name": {[2]string{"orders:", "shop:"}, []string{"policies.orders", "policies.shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := parsed(t, federating), parsed(t, strings.Replace(federating, c.change[0], c.change[1], 1))
			if got := federatedChanges(before, after); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func parsed(t *testing.T, yaml string) *configs.Config {
	t.Helper()
	c, _, err := configs.Parse("weir.yaml", []byte(yaml), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
