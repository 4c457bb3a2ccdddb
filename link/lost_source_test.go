package link_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"weir/broker"
)

func TestLostSourceLosesNothing(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 20
		r.to.Latency(5 * time.Millisecond)
		r.put(500)
		r.start()
		for i := range 4 {
			r.arrived(time.Minute, 100*(i+1))
			r.from.Cut()
		}
		r.until(time.Minute, "the source is empty", func() bool { return r.unacked()+len(r.from.Bodies("in")) == 0 })
		r.complete(500, 4*20)
	})
}

func TestBothEndsCutLoseNothing(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 20
		r.to.Latency(5 * time.Millisecond)
		r.put(500)
		r.start()
		for i := range 4 {
			r.arrived(time.Minute, 100*(i+1))
			r.to.Cut()
			r.from.Cut()
		}
		r.until(time.Minute, "the source is empty", func() bool { return r.unacked()+len(r.from.Bodies("in")) == 0 })
		// What is held when both are cut goes out once more before the loss of the source is seen.
		r.complete(500, 4*2*20)
	})
}

// The error of a lost session may wrap the EOF of its connection; a link that takes that for the end of a drain would
// stop with messages in hand.
func TestLostSourceThatSaysEOF(t *testing.T) {
	play(t, func(r *rig) {
		var receives atomic.Int64
		r.source.wrap = func(s broker.Source) broker.Source {
			return torn{bomb{Source: s}, func() error {
				if receives.Add(1) == 30 {
					return fmt.Errorf("%w: %w", broker.ErrLost, io.EOF)
				}
				return nil
			}}
		}
		r.put(100)
		r.start()
		r.until(10*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
		r.complete(100, 64)
		r.contains("the last error", r.link.Status().LastError, "source: session lost: EOF")
	})
}

// torn is a source whose Receive fails when asked to.
type torn struct {
	bomb
	fails func() error
}

func (s torn) Receive(ctx context.Context) (*broker.Message, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.bomb.Receive(ctx)
}
