// Package link moves messages one way, from a source to a sink, and keeps doing so. Federation and shovels make Specs;
// everything that happens to a message happens here and in the drivers.
//
// # The flow
//
//	Group.Apply (group.go)      starts, stops, and restarts what changed
//	Link.Run (link.go)          waits until it is resumed and its Gate (gate.go) is open, then serves
//	session.live (session.go)   opens the sink, then the source; one life of a source
//	round.run (pump.go)         a stretch between two faults:
//	  round.forward (forward.go)  Receive, Send, push to the flight (flight.go)
//	  round.settle (settle.go)    takes from the flight in order, waits for each Confirm, acks
//	  session.watch (watch.go)    says what state it is, sizes the window (window.go), gives up what is overdue
//	session.replaceSink (hold.go)     another sink, while the source keeps what it holds
//	session.settleRefused (refusal.go) what the destination will not take
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
//     to 4.2), so messages are given back only at a stop that could not drain, or at the hold limit; and never once more
//     when the broker has counted returnsLimit of them.
//   - Ack is cumulative, so it may only be used while nothing older is unresolved. Once a message was passed over
//     (refused, lost, stranded) what follows in that round is settled one by one.
//   - A Confirm that ends with its session is unknown, not refused. It is sent again; what was confirmed is not.
//   - A message that kills its channel takes those in flight with it, and nobody knows which it was. After two losses in a
//     row without progress they are sent one by one, on a connection of their own; then the broker's answer tells.
//   - A gate stays open across sessions, or a reconnect between its stop and its start would strand the rest.
//   - Confirms that arrive together are handed over one by one, so an ack waits for a millisecond before it is sent.
//   - The confirm timeout stands still while the broker has asked publishers to wait.
//   - A broker that is busy answers the later the more it is sent, so rate × round trip always asks for a larger window. A
//     growth that brings no speed is taken back, and tried again later and later.
package link
