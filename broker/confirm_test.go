package broker_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"weir/broker"
)

func TestAnswerIsPendingUntilSettled(t *testing.T) {
	var a broker.Answer
	done := a.Done()
	if err := a.Err(); !errors.Is(err, broker.ErrPending) {
		t.Errorf("before: got %v, want ErrPending", err)
	}
	if closed(done) {
		t.Error("before: Done is closed")
	}
	a.Settle(nil)
	if err := a.Err(); err != nil {
		t.Errorf("after: got %v, want nil", err)
	}
	if !closed(done) || !closed(a.Done()) {
		t.Error("after: Done is not closed")
	}
}

func TestAnswerKeepsTheFirst(t *testing.T) {
	var a broker.Answer
	a.Settle(broker.ErrRefused)
	a.Settle(nil)
	a.Settle(broker.ErrLost)
	if err := a.Err(); !errors.Is(err, broker.ErrRefused) {
		t.Errorf("got %v, want the first answer, ErrRefused", err)
	}
	if !closed(a.Done()) {
		t.Error("Done, asked for late, is not closed")
	}
}

func TestAnswerWakesEveryWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a broker.Answer
		var waiters sync.WaitGroup
		for range 10 {
			waiters.Go(func() {
				<-a.Done()
				if err := a.Err(); !errors.Is(err, broker.ErrLost) {
					t.Errorf("got %v, want ErrLost", err)
				}
			})
		}
		synctest.Wait()
		a.Settle(broker.ErrLost)
		waiters.Wait()
	})
}

// Nobody waits for most answers: those must not cost a channel each.
func TestAnswerWithoutWaiterAllocatesNothing(t *testing.T) {
	var a broker.Answer
	if n := testing.AllocsPerRun(100, func() {
		a = broker.Answer{}
		a.Settle(nil)
		_ = a.Err()
	}); n != 0 {
		t.Errorf("%v allocations an answer, want none", n)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
