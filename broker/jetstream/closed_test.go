package jetstream_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/broker"
	"weir/broker/jetstream"
)

// A request that nobody answers is made again, and fails then, however long its caller would wait.
func TestARequestThatIsNotAnsweredFails(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, func(o *server.Options) { o.JetStream = false })
	nc := s.native(t).Conn()
	requests, err := nc.SubscribeSync("$JS.API.>") // there is somebody, and silent
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	b := open(t, jetstream.Config{URIs: s.urls()})
	answered := make(chan error, 1)
	go func() {
		_, err := b.Exchanges(context.Background())
		answered <- err
	}()
	select {
	case err := <-answered:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that there is no answer", err)
		}
		if n, _, err := requests.Pending(); err != nil || n != 2 {
			t.Errorf("%d requests, %v; want 2", n, err)
		}
	case <-within(t).Done():
		t.Fatal("it waits for ever")
	}
}

// A Broker that has been closed answers, also to who would wait for ever.
func TestAClosedBrokerAnswers(t *testing.T) {
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls()})
	at := broker.Address{Queue: "q"}
	openSink(t, b, at, broker.SinkOptions{}).Close()
	b.Close()
	answers := make(chan error, 3)
	go func() {
		_, err := b.Depth(context.Background(), at)
		answers <- err
		_, err = b.OpenSource(context.Background(), at, broker.SourceOptions{Window: 1})
		answers <- err
		_, _, err = b.Lock(context.Background(), "name")
		answers <- err
	}()
	for range cap(answers) {
		select {
		case err := <-answers:
			if err == nil {
				t.Error("it still works")
			}
		case <-within(t).Done():
			t.Fatal("no answer")
		}
	}
}

// A Broker may be closed while somebody asks it for a lock, or for hints.
func TestCloseWhileAsked(t *testing.T) {
	s := startSystem(t, 1, nil)
	asking := within(t)
	for i := range 30 {
		b := open(t, jetstream.Config{URIs: s.urls()})
		var answered sync.WaitGroup
		answered.Go(func() {
			held, release, err := b.Lock(asking, fresh("lock"))
			if err == nil {
				select {
				case <-held.Done():
				case <-asking.Done():
				}
				release()
			}
		})
		answered.Go(func() {
			hints, err := b.Hints(asking)
			if err == nil {
				for range hints {
				}
			}
		})
		<-time.After(time.Duration(i) * 300 * time.Microsecond) // each time a little later
		b.Close()
		answered.Wait()
	}
	if err := asking.Err(); err != nil {
		t.Errorf("somebody had no answer: %v", err)
	}
}
