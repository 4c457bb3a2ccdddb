package link

import "weir/broker"

// Observe is told of each message as it is received, from one goroutine at a time, and returns a Trail if it wants to
// know more of it. node is where it came from (broker.NodeOf the source). It must cost next to nothing for the messages that
// it does not follow, and must not change m.
type Observe func(m *broker.Message, node string) Trail

// Trail follows one message from its receipt until it has left the link's hands. Sending, Sent and Answered come once for
// each try, then Ended once; Sent is left out where the message could not be sent. They are never called at the same time,
// and must not wait.
type Trail interface {
	// Sending is called before each try. Before the first it may give m another table of headers (never change the one
	// that is there): this is where a traceparent goes.
	Sending(m *broker.Message)
	// Sent tells the destination that the message was handed to, at which node (broker.NodeOf the sink), and why others were
	// passed over for it.
	Sent(to broker.Place, node string, passedOver []string)
	// Answered is what came of a try: nil if the destination has it, and otherwise why not, by the broker's sentinel
	// errors. No answer comes for a try that is cut short by the end of the link.
	Answered(err error)
	// Ended is called when the message was settled at its source; in mode NoAck, when nothing more is done for it.
	Ended(o Outcome)
}

// Outcome is what became of a message.
type Outcome string

// The outcomes.
const (
	Forwarded    Outcome = "forwarded"     // the destination has it
	Filtered     Outcome = "filtered"      // nobody at the destination wants it
	Dropped      Outcome = "dropped"       // the destination would not take it, and it is gone
	Rejected     Outcome = "rejected"      // the same, and its source was told to dead-letter it
	DeadLettered Outcome = "dead-lettered" // the same, and it was published elsewhere
	Returned     Outcome = "returned"      // the source has it again, perhaps beside the destination
	Lost         Outcome = "lost"          // the link ended with it, and the source has it no more (mode NoAck)
)

// settlement is the end of a trail that waits for a cumulative ack.
type settlement struct {
	trail   Trail
	outcome Outcome
}

// sending, sentTo, answered and ended tell the trail of an entry, if there is one.
func (e *entry) sending() {
	if e.trail != nil {
		e.trail.Sending(e.m)
	}
}

func (e *entry) sentTo(sink broker.Sink, to Destination) {
	if e.trail == nil {
		return
	}
	place, passedOver := to.Places()[0], []string(nil)
	if r, ok := sink.(broker.Router); ok {
		place, passedOver = r.Taken()
	}
	e.trail.Sent(place, broker.NodeOf(sink), passedOver)
}

func (e *entry) answered(err error) {
	if e.trail != nil && err != broker.ErrPending { //nolint:errorlint // the sentinel itself, as in settle
		e.trail.Answered(err)
	}
}

func (e *entry) ended(o Outcome) {
	if e.trail != nil {
		e.trail.Ended(o)
		e.trail = nil
	}
}
