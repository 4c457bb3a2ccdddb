package configs

import (
	"maps"
	"slices"
	"strings"
)

// cycles finds shovels that carry messages in a circle which no hop limit ends. It knows what is sure from the file
// alone: a destination's queue, exchange or subject is the next one's source, or the queue that its room watches is.
func (c *checker) cycles() {
	next := c.endless()
	reported := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		circle := circleThrough(name, next)
		if circle == nil || slices.ContainsFunc(circle, func(s string) bool { return reported[s] }) {
			continue
		}
		for _, s := range circle {
			reported[s] = true
		}
		c.mistake(path("shovels").key(name), "messages would go round for ever: %s; give one of them max-hops",
			strings.Join(append(circle, name), " -> "))
	}
}

// endless maps each shovel without a hop limit or an end to those that read where it writes. One that feeds itself has
// been reported at its destination.
func (c *checker) endless() map[string][]string {
	forEver := map[string]Shovel{}
	for name, s := range c.cfg.Shovels {
		if s.MaxHops == 0 && s.DeleteAfter == DeleteNever {
			forEver[name] = s
		}
	}
	next := map[string][]string{}
	for from, a := range forEver {
		for to, b := range forEver {
			reads := func(d Destination) bool { return feeds(d, b.Source) }
			if from != to && slices.ContainsFunc(a.Destinations, reads) {
				next[from] = append(next[from], to)
			}
		}
		slices.Sort(next[from])
	}
	return next
}

// circleThrough is the shortest way from a shovel back to itself, or nil.
func circleThrough(start string, next map[string][]string) []string {
	ways, visited := [][]string{{start}}, map[string]bool{}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		for _, n := range next[way[len(way)-1]] {
			if n == start {
				return way
			}
			if !visited[n] {
				visited[n] = true
				ways = append(ways, append(slices.Clone(way), n))
			}
		}
	}
	return nil
}

// feeds reports whether what is put at a destination is surely read at a source.
func feeds(to Destination, from Source) bool {
	if to.Broker == "" || to.Broker != from.Broker {
		return false
	}
	watched := to.Room != nil && to.Room.Watch.Broker == to.Broker && to.Room.Watch.Queue == from.Queue
	return from.Queue != "" && (to.Queue == from.Queue || watched) ||
		from.Exchange != "" && to.Exchange == from.Exchange && binds(from.RoutingKey, to.RoutingKey) ||
		from.Subject != "" && to.Subject == from.Subject
}

// binds reports whether a binding key takes a routing key; one that messages keep (nil) came through such a binding.
func binds(binding string, key *string) bool {
	return key == nil || *key == binding || strings.ContainsAny(binding, "*#")
}
