package link

import (
	"fmt"
	"time"

	"weir/broker"
)

// stuckAfter is how long messages may be ready at the source, and not get fewer, while the link is open and idle and none
// comes: three readings of the depth.
const stuckAfter = 30 * time.Second

// standstill is what speaks for a link's being stuck: since a reading nothing was received, although the source had ready
// messages and has no fewer now.
type standstill struct {
	received int64
	before   broker.Depth
}

// look takes the last reading, and tells why the link is stuck: empty if it is not, as far as is known.
func (s *standstill) look(received int64, now broker.Depth) (why string) {
	if !now.Ready.Known || now.Ready.N == 0 {
		s.before = broker.Depth{}
		return ""
	}
	if !s.before.Ready.Known || received != s.received || now.Ready.N < s.before.Ready.N {
		s.received, s.before = received, now
		return ""
	}
	if lasts := now.At.Sub(s.before.At); lasts >= stuckAfter {
		return fmt.Sprintf("nothing has come for %v, although %v messages are ready at the source (%v then)",
			lasts.Round(time.Second), now.Ready, s.before.Ready)
	}
	return ""
}

// stuck is why nothing comes although it should. A queue that another consumer may have for itself, as far as is known,
// proves nothing; nor does a consumer with a priority of its own, which leaves messages to others.
func (s *session) stuck() string {
	depth := s.board.sourceDepth()
	alone := depth.Consumers.Known && depth.Consumers.N == 0
	_, yields := s.spec.Source.Options.ConsumerArgs["x-priority"]
	if s.soft.Err() != nil || yields || !alone && !s.canTell.Load() {
		return ""
	}
	return s.standstill.look(s.board.came(), depth)
}
