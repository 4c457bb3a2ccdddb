package amqp

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/broker"
)

// Windows of a single: largeStep once it has stepped up, which is 50,000 messages a second over 80 ms; onlyStep where it
// cannot, which is still 25,000.
const (
	largeStep = 4096
	onlyStep  = 2000
)

// single is the source of a queue with a single active consumer, of which it never lets go before it has settled what it
// holds, so that the order is kept when another gateway takes over. Stop cancels nothing, for the next in line would begin
// at once: settlements are kept back, which ends deliveries when the window is full, and Close cancels before it settles.
type single struct {
	*source
	fragile bool          // the active consumer must not be cancelled
	waits   follower      // the large one of a steppable, if it is there; guarded by mu
	atRest  chan struct{} // closed by Stop, when nothing is on its way any more
}

// steppable is a single whose window can change, once, from the first to a large one. RabbitMQ cannot change the window of
// a consumer, so another consumer takes its place; the place in the line is what matters.
//
//   - Classic queues, and quorum queues before RabbitMQ 4.0, go on to the consumer that has waited longest. So the large
//     one is there from the start, right behind the first and before any of another gateway.
//   - Quorum queues from 4.0 go on to the consumer with the largest window. So the large one comes just before the first is
//     cancelled: if it had been waiting, it would have been the first to be served.
//
// Classic queues before RabbitMQ 4.0 are left alone, with a window that is large from the start: when their active consumer
// is cancelled while messages are ready, the next message that is published makes the queue crash (rabbitmq-server issue
// 5460). A queue of which nobody can tell what it is gets such a window, too.
type steppable struct {
	*single
	window, large int // window, the one in force, is guarded by mu
}

func openSingle(s *source, o broker.SourceOptions, kind nature) (broker.Source, error) {
	major := s.conn.rabbitMQ()
	one := &single{source: s, fragile: major == 3 && !kind.quorum, atRest: make(chan struct{})}
	window, large := o.Window, max(o.Window, min(o.MaxWindow, largeStep))
	if one.fragile || major == 0 || !kind.known { // it cannot change, or who knows where the line would go on
		large = max(window, min(o.MaxWindow, onlyStep))
		window = large
	}
	if err := s.begin(window); err != nil {
		_ = s.Close()
		return nil, err
	}
	if o.MaxWindow == 0 {
		return one, nil
	}
	more := &steppable{single: one, window: window, large: large}
	if large > window && !(kind.quorum && major >= 4) {
		if err := more.lineUp(); err != nil {
			_ = s.Close()
			return nil, err
		}
	}
	return more, nil
}

// rabbitMQ is the broker's major version, 0 if it is another product.
func (c *connection) rabbitMQ() int {
	product, _ := c.amqp.Properties["product"].(string)
	version, _ := c.amqp.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if product != "RabbitMQ" || err != nil {
		return 0
	}
	return n
}

// lineUp makes the large consumer.
func (s *steppable) lineUp() error {
	large, err := s.consume(s.large)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits, s.next = large, []follower{large}
	return nil
}

// Steps implements broker.Stepper.
func (s *steppable) Steps() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Compact([]int{s.window, s.large})
}

// Resize implements broker.Stepper.
func (s *steppable) Resize(ctx context.Context, window int) error {
	_, err := await(ctx, s.broker.pool, func() (struct{}, error) {
		s.calling.Lock()
		defer s.calling.Unlock()
		switch steps := s.Steps(); {
		case window == steps[0]:
			return struct{}{}, nil
		case slices.Contains(steps, window):
			return struct{}{}, s.stepUp()
		default:
			return struct{}{}, fmt.Errorf("a window of %d is not among the steps %v", window, steps)
		}
	}, nil)
	return err
}

func (s *steppable) stepUp() error {
	if s.waiting() == "" {
		if err := s.lineUp(); err != nil {
			return err
		}
	}
	if err := s.cancel(); err != nil {
		return err
	}
	s.mu.Lock()
	s.tag, s.window = s.waits.tag, s.large
	s.mu.Unlock()
	return s.quiet.end(s.settle)
}

// Receive implements broker.Source.
func (s *single) Receive(ctx context.Context) (*broker.Message, error) {
	return s.receive(ctx, s.atRest)
}

// Stop implements broker.Source. What arrives now, before the window is full, is given back by Close unless it is received.
func (s *single) Stop(ctx context.Context) error {
	_, err := await(ctx, s.broker.pool, func() (struct{}, error) {
		s.calling.Lock()
		defer s.calling.Unlock()
		select {
		case <-s.atRest:
		default:
			s.quiet.await(s.active(), s.empty)
			close(s.atRest)
		}
		return struct{}{}, nil
	}, nil)
	return err
}

// Close implements broker.Source. After a Stop the consumers end before what was kept back is settled, or the broker would
// send more. A fragile one ends with its channel: what is sent meanwhile goes back to its place in the queue.
func (s *single) Close() error {
	select {
	case <-s.atRest:
		if s.fragile {
			break
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_, _ = await(ctx, s.broker.pool, s.leave, nil) // what fails ends with the channel
	default:
	}
	s.broker.consumers.remove(s.queue, s.waiting())
	return s.source.Close()
}

// waiting is the tag of the large consumer, empty without one.
func (s *single) waiting() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits.tag
}

// leave ends the consumers, the active one last.
func (s *single) leave() (struct{}, error) {
	s.calling.Lock()
	defer s.calling.Unlock()
	s.mu.Lock()
	active, waiting := s.tag, s.waits.tag
	s.mu.Unlock()
	if waiting != "" && waiting != active {
		if err := s.ch.Cancel(waiting, false); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, s.ch.Cancel(active, false)
}
