package gateway

import (
	"maps"
	"reflect"
	"slices"

	"weir/configs"
)

// federatedChanges are the upstreams, upstream sets and policies that are in one configuration only or differ, and the
// brokers of theirs that differ, as places in the file. Which links that concerns depends on what exists on the brokers.
func federatedChanges(before, after *configs.Config) []string {
	return slices.Concat(
		changedBrokers(before, after),
		changedKeys("upstreams", before.Upstreams, after.Upstreams),
		changedKeys("upstream-sets", before.UpstreamSets, after.UpstreamSets),
		changedKeys("policies", before.Policies, after.Policies),
	)
}

// changedBrokers are the brokers that are upstream or downstream and were declared otherwise before.
func changedBrokers(before, after *configs.Config) (places []string) {
	federated := map[string]bool{}
	for _, u := range after.Upstreams {
		federated[u.Broker] = true
	}
	for _, p := range after.Policies {
		federated[p.Downstream] = true
	}
	for _, name := range slices.Sorted(maps.Keys(federated)) {
		if was, known := before.Brokers[name]; known && !reflect.DeepEqual(was, after.Brokers[name]) {
			places = append(places, configs.Place("brokers", name))
		}
	}
	return places
}

func changedKeys[V any](block string, before, after map[string]V) (places []string) {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, known := before[key]
		is, still := after[key]
		if known != still || !reflect.DeepEqual(was, is) {
			places = append(places, configs.Place(block, key))
		}
	}
	return places
}
