// Package link moves messages one way, from a source to a sink, and keeps doing so. Federation and shovels make Specs;
// everything that happens to a message happens here and in the drivers.
//
// # The flow
//
//	Group.Apply (group.go)      starts, stops, and restarts what changed
//	Link.Run (link.go)          waits until it is resumed (pause.go), owned, and its Gate (gate.go) is open
//	Link.serve (link.go)        one session after another, with back-off (backoff.go)
//	session.run (session.go)    opens the sink, then the source; one life of a source, round after round
//	round.run (pump.go)         a stretch of pumping between two faults:
//	  round.forward (forward.go)  sends what is held from before; then Receive, Send, push to the flight (flight.go)
//	  round.settle (settle.go)    takes from the flight in order, waits for each Confirm, acks
//	  session.watch (watch.go)    tells the state (status.go), sizes the window (window.go), gives up what is overdue
//	round.hold (pump.go)        keeps what is unresolved, in order, for the next round
//	session.replaceSink (hold.go)    another sink, while the source keeps what it holds
//	session.awaitRetry (refusal.go)  back-off, then a round for what was refused; settleRefused: its last resort
//	session.close (session.go)  gives back what is unsettled
//
// Beside the flow:
//
//	Link.sample (sample.go)          reads the depth of the source now and then; stuck.go judges by it
//	session.beat (heartbeat.go)      puts heartbeats into the source queue; they end in settle
//	session.askStanding (standby.go) asks a source that is silent whether another consumer has its queue
//	entry.sending ... (trail.go)     tells those who follow a message; histogram.go: how long all of them took
//
// # The guarantee
//
// With AckMode OnConfirm a message is acked at its source only after its destination has confirmed it. After a fault what
// was in flight may arrive twice; without one nothing does. Order is kept, except around a message that was refused or has
// nowhere to go.
//
// # Not obvious
//
//   - A fault at the sink never closes the source. Giving back counts towards a quorum queue's delivery limit (RabbitMQ up
//     to 4.2), so messages are given back only where the link ends with them in hand: a stop that could not drain, the
//     hold limit, a refusal or a gate that ends the link; and it pauses itself before a message that the broker has counted
//     returnsLimit times is given back again and again.
//   - Ack is cumulative, so it may only be used while nothing older is unresolved. Once a message was passed over
//     (refused, lost, stranded) what follows in that round is settled one by one. The next round begins with everything
//     that is held, in order, so there is no gap then; except when it is for refused messages only.
//   - What the destination does not want, and what is dropped at its first refusal, goes through the flight as if it had
//     been confirmed: nothing waits for it, and acks stay cumulative.
//   - A Confirm that ends with its session is unknown, not refused. It is sent again; what was confirmed is not.
//   - settle pops an entry only after it has noted what became of it: forward takes an empty flight for "all went well".
//   - A message that kills its channel takes those in flight with it, and nobody knows which it was. After two losses in a
//     row without progress what is held is sent on a connection of its own, in batches of 1, 2, 4, ...: of a batch of one
//     the broker's answer tells, and a false suspicion costs a few round trips.
//   - A source that is lost is noticed by Receive, acks and Stop only. What is held goes out once more before that, so a
//     fault at both ends may bring every message of the window twice over.
//   - A gate stays open across sessions, or a reconnect between its stop and its start would strand the rest.
//   - Confirms that arrive together are handed over one by one, so an ack waits for a millisecond before it is sent; but
//     not for the whole window, because what is not acked takes up room in it.
//   - The confirm timeout stands still while the broker has asked publishers to wait, and so does the hold limit: such a
//     destination is there.
//   - Messages that have nowhere to go fill a window that nothing else can pass; so they get room of their own.
//   - delete-after counts what has left the source. What was confirmed and not acked comes again.
//   - A broker that is busy answers the later the more it is sent, so rate × round trip always asks for a larger window. A
//     growth that brings no speed is taken back, and tried again later and later.
//   - Drivers may panic; guard makes a fault of it. Whatever waits for a goroutine must not be skipped by that.
package link
