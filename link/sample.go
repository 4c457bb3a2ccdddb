package link

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
)

// How often the depth of a source is read for metrics and for the detection of links that are stuck; later and later while
// it cannot be read. All links from one broker share samplesPerSecond, also to ask whether they stand by, because
// either may cost a question to its management API.
const (
	sampleEvery      = 10 * time.Second
	sampleSeldom     = 5 * time.Minute
	sampleTimeout    = 10 * time.Second
	samplesPerSecond = 10
)

// SourceDepth is a Reading of a link's source.
type SourceDepth struct {
	Reading
	At time.Time `json:"at"`
}

// sample reads the depth of the source until ctx ends.
func (l *Link) sample(ctx context.Context) {
	delay := time.Second
	for wait(ctx, delay) {
		if !slices.Contains(sampledStates, l.board.current()) {
			l.board.setDepth(broker.Depth{})
			delay = sampleEvery
			continue
		}
		depth, err := l.readDepth(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // whether the source can be reached is the session's to tell
			delay = min(2*max(delay, sampleEvery/2), sampleSeldom)
			l.log.Debug("depth of the source not read", "error", err)
		default:
			delay = sampleEvery
		}
		l.board.setDepth(depth)
	}
}

// sampledStates: also those in which a fault keeps the link from running, which may be the destination's alone.
var sampledStates = []State{Running, Idle, Stuck, Paused, Shut, Standby, Holding, Blocked, Retrying, Denied}

// readDepth takes a reading that somebody else has just made, or makes one.
func (l *Link) readDepth(ctx context.Context) (depth broker.Depth, err error) {
	if l.spec.Depth != nil {
		if depth := l.spec.Depth(); time.Since(depth.At) < sampleEvery {
			return depth, nil
		}
	}
	if err := l.awaitShare(ctx); err != nil {
		return depth, err
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	err = guard(func() error {
		depth, err = l.spec.Source.Broker.Depth(ctx, l.spec.Source.At)
		return err
	})
	if err != nil {
		return broker.Depth{}, err
	}
	return depth, nil
}

// awaitShare waits until this link may ask the source's broker a question.
func (l *Link) awaitShare(ctx context.Context) error {
	if l.samples == nil {
		return nil
	}
	return l.samples.Wait(ctx)
}

// newSamples is the share of all links from one broker.
func newSamples() *rate.Limiter { return rate.NewLimiter(samplesPerSecond, samplesPerSecond) }

func (b *board) setDepth(d broker.Depth) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.depth = d
}

// sourceDepth is the last reading; everything in it is unknown before the first and after a failed one.
func (b *board) sourceDepth() broker.Depth {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.depth
}
