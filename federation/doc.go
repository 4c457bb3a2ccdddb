// Package federation pulls what consumers of a downstream broker ask for from its upstreams, and nothing else. It makes
// links (package link) of policies and of what exists downstream; everything that happens to a message happens there.
//
// # The flow
//
//	Federation.Apply (federation.go)     a plan (plan.go) for each downstream that policies name
//	downstream.reconcile (downstream.go) policies (policy.go) and what exists make pairs (pair.go), pairs make links
//	watch.run (watch.go)                 what exists and is bound downstream: hints, polling (schedule.go), full readings
//	mirror.run (mirror.go)               an exchange: its buffer at the upstream exists and is bound like the downstream
//	  wanted (bindings.go)                 which bindings that should be
//	  difference (difference.go)           what to add and remove
//	  declare, drainOthers (generations.go) a buffer that must be declared with other arguments
//	  Open, Shut (gate.go)                 the link reads when there is a buffer, one generation after the other
//	  exchangeSpec, describe (report.go)   its link, and what it tells
//	exchangeTo (stamp.go)                what may cross, and the hop that is written on it
//	queueSpec (queue.go)                 a queue: its link, whose gate opens on demand (demand.go)
//	  batches (queue_batches.go)           one batch after the other, acked when consumed (queue_source.go)
//	Leftovers, Problems                  what nobody wants any more, what an operator must mend
//
// # Not obvious
//
//   - A mirror lives as long as its pair is wanted, not as long as the link's sessions: bindings follow while the link is
//     paused or retrying, and messages flow while bindings cannot be mirrored.
//   - Nothing here deletes a buffer that may hold messages. A pair that goes unbinds its buffer and leaves it.
//   - Hints may be lost, and a remembered state may be wrong after any fault. So bindings are read back after each, and
//     every few minutes, and only the difference is changed: bound before unbound.
//   - Another gateway of the site may know of a binding that this one has not seen yet. So nothing is removed that was read
//     back after the downstream was read, and no message is dropped because no binding is known that wants it.
//   - A buffer's name is made of the configuration alone (names.go), so that it is the same in every gateway of a site and
//     while the downstream is away.
//   - A downstream's lock is taken before those of its mirrors and its group. Status is asked for under the group's lock, so
//     what describe needs of the downstream is in an atomic.
package federation
