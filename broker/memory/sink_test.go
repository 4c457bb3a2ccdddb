package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
)

func TestLatencyKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New("eu")
		b.Declare("orders", memory.Queue{})
		k := openSink(t, b, broker.Address{Queue: "orders"})
		b.Latency(80 * time.Millisecond)
		slow := send(t, k, "1", "2")
		b.Latency(0)
		fast := send(t, k, "3")
		wantAnswers(t, append(slow, fast...), broker.ErrPending, broker.ErrPending, broker.ErrPending)
		wantBodies(t, b, "orders")
		sent := time.Now()
		<-fast[0].Done()
		if took := time.Since(sent); took != 80*time.Millisecond {
			t.Errorf("took %v, want 80ms", took)
		}
		wantAnswers(t, append(slow, fast...), nil, nil, nil)
		wantBodies(t, b, "orders", "1", "2", "3")
		wantAnswers(t, send(t, k, "4"), nil)

		b.Latency(80 * time.Millisecond)
		first := send(t, k, "5")
		time.Sleep(30 * time.Millisecond)
		second := send(t, k, "6")
		<-first[0].Done()
		wantAnswers(t, second, broker.ErrPending)
		<-second[0].Done()
		if took := time.Since(sent); took != (80+110)*time.Millisecond {
			t.Errorf("took %v to the end, want 190ms", took)
		}
	})
}

// Whoever acks at the source what was not confirmed loses it here, as it might anywhere.
func TestCutDropsWhatIsInTransit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New("eu")
		b.Declare("orders", memory.Queue{})
		k := openSink(t, b, broker.Address{Queue: "orders"})
		b.Latency(time.Second)
		confirms := send(t, k, "1")
		time.Sleep(time.Millisecond)
		b.Cut()
		wantAnswers(t, confirms, broker.ErrLost)
		time.Sleep(time.Minute)
		wantBodies(t, b, "orders")
	})
}

// And whoever sends it again has it twice.
func TestCutKeepsWhatWasStored(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	k := openSink(t, b, broker.Address{Queue: "orders"})
	b.HoldConfirms()
	confirms := send(t, k, "1")
	b.Cut()
	wantAnswers(t, confirms, broker.ErrLost)
	wantBodies(t, b, "orders", "1")
}

func TestHeldConfirmsAreReleased(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{MaxLength: 1})
	k := openSink(t, b, broker.Address{Queue: "orders"})
	b.HoldConfirms()
	confirms := send(t, k, "1", "2")
	wantAnswers(t, confirms, broker.ErrPending, broker.ErrPending)
	b.ReleaseConfirms()
	wantAnswers(t, confirms, nil, broker.ErrRefused)
}

func TestRefuse(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	k := openSink(t, b, broker.Address{Queue: "orders"})
	b.Refuse(func(m *broker.Message) error {
		if string(m.Body) == "2" {
			return fmt.Errorf("%w: no twos", broker.ErrRefused)
		}
		return nil
	})
	wantAnswers(t, send(t, k, "1", "2", "3"), nil, broker.ErrRefused, nil)
	b.Refuse(nil)
	wantAnswers(t, send(t, k, "2"), nil)
	wantBodies(t, b, "orders", "1", "3", "2")
}

// AMQP closes the channel: nobody knows about what went before, and everybody sees why.
func TestNoSuchExchangeLosesTheSession(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	k := openSink(t, b, broker.Address{})
	b.HoldConfirms()
	before := sendTo(t, k, "", "orders", "1")
	after := sendTo(t, k, "nowhere", "orders", "2")
	for _, c := range []broker.Confirm{before, after} {
		if err := c.Err(); !errors.Is(err, broker.ErrLost) || !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("got %v, want ErrLost because of ErrNotFound", err)
		}
	}
	<-k.Lost()
	if _, err := k.Send(t.Context(), &broker.Message{}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("Send afterwards: got %v, want ErrNotFound", err)
	}
}

func TestDown(t *testing.T) {
	b := memory.New("eu")
	b.Declare("orders", memory.Queue{})
	k := openSink(t, b, broker.Address{Queue: "orders"})
	why := errors.New("no route to host")
	b.Down(why)
	if _, err := b.OpenSink(t.Context(), broker.Address{Queue: "orders"}, broker.SinkOptions{}); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	wantAnswers(t, send(t, k, "1"), nil) // what is open goes on
	b.Up()
	openSink(t, b, broker.Address{Queue: "orders"})
	if _, sinks := b.Opened(); sinks != 2 {
		t.Errorf("%d sinks have been opened, want 2", sinks)
	}
}

func send(t *testing.T, k broker.Sink, bodies ...string) []broker.Confirm {
	t.Helper()
	var confirms []broker.Confirm
	for _, body := range bodies {
		c, err := k.Send(t.Context(), &broker.Message{Body: []byte(body)})
		check(t, err)
		confirms = append(confirms, c)
	}
	return confirms
}

func sendTo(t *testing.T, k broker.Sink, exchange, key, body string) broker.Confirm {
	t.Helper()
	c, err := k.Send(t.Context(), &broker.Message{Exchange: exchange, RoutingKey: key, Body: []byte(body)})
	check(t, err)
	return c
}

func wantAnswers(t *testing.T, confirms []broker.Confirm, want ...error) {
	t.Helper()
	for i, c := range confirms {
		if err := c.Err(); !errors.Is(err, want[i]) {
			t.Errorf("answer %d: got %v, want %v", i+1, err, want[i])
		}
	}
}
