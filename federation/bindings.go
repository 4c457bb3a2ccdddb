package federation

import (
	"math"

	"weir/broker"
)

// boundFrom is the argument in which a binding that federation has made lists the places it was made for, newest first
// (RabbitMQ's plugin, rabbit_federation_exchange_link). Bindings travel against the messages and obey max-hops as well.
const boundFrom = "x-bound-from"

// wanted are the bindings that a buffer should have, given those of its downstream exchange: one for all that are equal,
// and one for each that another link has made, as far as hops allow. upstream and downstream are the places.
func wanted(have []broker.Binding, p pair, upstream, downstream broker.Identity) []broker.Binding {
	var all []broker.Binding
	seen := map[string]bool{}
	for _, b := range have {
		hops := hopsLeft(b.Arguments, p.upstream.MaxHops, upstream)
		if hops < 1 {
			continue
		}
		from, _ := b.Arguments[boundFrom].(broker.Array)
		here := broker.Table{
			"cluster-name": downstream.Cluster,
			"vhost":        downstream.VHost,
			// The plugin has two internal exchanges, A and B, in turns. There is one buffer.
			"exchange": downstream.VHost + ":" + p.exchange.Name + " A",
			"hops":     int16(hops),
		}
		to := broker.Binding{Key: b.Key, Arguments: b.Arguments.With(boundFrom, append(broker.Array{here}, from...))}
		if p.exchange.Type == "headers" && to.Arguments["x-match"] == "all-with-x" {
			to.Arguments["x-match"] = "all" // x-bound-from itself would be asked of messages; the downstream sorts out the rest
		}
		if id := identify(to); !seen[id] {
			seen[id] = true
			all = append(all, to)
		}
	}
	return all
}

// hopsLeft is over how many links, this one included, a binding may still be passed on: as many as the link's max-hops,
// or one less than the link before has left, and none to a place it was made for. A list that is none ends it.
func hopsLeft(arguments broker.Table, maxHops int, upstream broker.Identity) int {
	maxHops = min(maxHops, math.MaxInt16)
	header, present := arguments[boundFrom]
	if !present {
		return maxHops
	}
	list, _ := header.(broker.Array)
	if len(list) == 0 {
		return 0
	}
	for _, item := range list {
		entry, _ := item.(broker.Table)
		if entry["cluster-name"] == upstream.Cluster && entry["vhost"] == upstream.VHost {
			return 0
		}
	}
	newest, _ := list[0].(broker.Table)
	left, ok := number(newest["hops"])
	if !ok {
		return 0
	}
	return int(min(left-1, float64(maxHops)))
}

// number is the value of an argument of any numeric type: what a management API tells has lost its own.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int8:
		return float64(n), true
	case uint8:
		return float64(n), true
	case int16:
		return float64(n), true
	case uint16:
		return float64(n), true
	case int32:
		return float64(n), true
	case uint32:
		return float64(n), true
	case int64:
		return float64(n), true
	case float32:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
