package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/broker"
)

// A source that has delivered nothing for so long is asked whether another consumer has its queue, and again as long as
// that lasts: later and later, because a thousand idle links should cost a broker next to nothing.
const (
	askAfter   = 5 * time.Second
	askAtLeast = 30 * time.Second
	askTimeout = 10 * time.Second
)

// askStanding asks until ctx ends.
func (s *session) askStanding(ctx context.Context) {
	source, ok := s.source.(broker.Standing)
	if !ok {
		return
	}
	delay, seen := askAfter, s.board.came()
	for wait(ctx, delay) {
		received := s.board.came()
		if received != seen {
			delay, seen = askAfter, received
			continue
		}
		delay = min(2*delay, askAtLeast)
		if s.awaitShare(ctx) != nil {
			return
		}
		standby, err := askOnce(ctx, source)
		switch {
		case ctx.Err() != nil, errors.Is(err, broker.ErrUnsupported):
			return
		case err != nil: // a lost session shows at Receive
			s.log.Debug("not known whether another consumer has the queue", "error", err)
		default:
			s.canTell.Store(true)
			s.standsBy.Store(0)
			if standby {
				s.standsBy.Store(received + 1)
			}
		}
	}
}

func askOnce(ctx context.Context, source broker.Standing) (standby bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = guard(func() error {
		standby, err = source.Standby(ctx)
		return err
	})
	return standby, err
}

// standby is why nothing comes although the link is open: empty if no other consumer has the queue, as far as is known. When a network
// or a load balancer has taken connections away without a word, the other one may be this link's own, of before: a broker misses it
// only after two or three heartbeats.
func (s *session) standby() string {
	if s.standsBy.Load() != s.board.came()+1 {
		return "" // also if something has come since it was asked
	}
	return fmt.Sprintf("another gateway consumes %s, or a connection that was lost and that the broker has not missed yet", s.spec.Source)
}
