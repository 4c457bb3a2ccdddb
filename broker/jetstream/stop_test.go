package jetstream_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/jetstream"
)

// Stop on a source to which nothing has come for long does not wait.
func TestStopOfAnIdleSource(t *testing.T) {
	t.Parallel()
	s := startSystem(t, 1, nil)
	b := open(t, jetstream.Config{URIs: s.urls()})
	src := openSource(t, b, broker.Address{Queue: "q"}, broker.SourceOptions{})
	begin := time.Now()
	if err := src.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 20*time.Second { // a request waits 30 s
		t.Errorf("Stop took %v", took)
	}
	if _, err := src.Receive(within(t)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

// A message that comes while Stop is under way is delivered, or left untouched; it is never out of sight until its ack
// wait is over.
func TestStopInFullFlow(t *testing.T) {
	js, b := oneServer(t, jetstream.Config{SubjectPrefix: "p"})
	q := broker.Address{Queue: "q"}
	openSink(t, b, q, broker.SinkOptions{}).Close()
	flowing, stop := make(chan struct{}), make(chan struct{})
	published := 0
	go func() {
		defer close(flowing)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := js.Publish(t.Context(), "p.q.q", nil); err != nil {
					t.Error(err)
					return
				}
				published++
			}
		}
	}()
	received := 0
	for range 5 {
		src := openSource(t, b, q, broker.SourceOptions{Window: 50})
		for range 300 {
			if err := src.Ack(receive(t, src)); err != nil {
				t.Fatal(err)
			}
			received++
		}
		stopped := make(chan error, 1)
		go func() { stopped <- src.Stop(within(t)) }()
		for {
			m, err := src.Receive(within(t))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Redelivered {
				t.Error("a message was given back on the way")
			}
			if err := src.Ack(m); err != nil {
				t.Fatal(err)
			}
			received++
		}
		if err := <-stopped; err != nil { // within its own time
			t.Fatal(err)
		}
		src.Close()
	}
	close(stop)
	await(t, "end of publishing", flowing)
	eventually(t, "settled queue", func() bool {
		d, err := b.Depth(within(t), q)
		return err == nil && d.Unacked.N == 0 && int(d.Ready.N) == published-received
	})
}
