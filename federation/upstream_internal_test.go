package federation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker/memory"
)

// Ensure that who waits for another's listing of a silent upstream can give up, and that one listing serves many.
func TestListingsAreSharedAndNotWaitedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := memory.New("us")
		us.Declare("weir: a", memory.Queue{})
		u := newUpstream(end{name: "us", broker: us})
		list := func(age, patience time.Duration) (n int, err error) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			listed, err := u.waiting(ctx, age)
			return len(listed), err
		}
		us.Silent()
		first := make(chan error)
		go func() {
			_, err := list(time.Minute, time.Minute)
			first <- err
		}()
		synctest.Wait()
		began := time.Now()
		if _, err := list(time.Minute, time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v, want that a second has passed in vain", time.Since(began), err)
		}
		if err := <-first; err == nil {
			t.Error("a silent broker has answered")
		}
		us.Up()
		if n, err := list(time.Minute, time.Second); n != 1 || err != nil {
			t.Errorf("%d listed, error %v; want what is there now, not the last failure", n, err)
		}
		us.Declare("weir: b", memory.Queue{})
		if n, _ := list(time.Minute, time.Second); n != 1 {
			t.Errorf("%d listed, want the listing of a moment ago", n)
		}
		time.Sleep(time.Second)
		u.forget()
		time.Sleep(time.Second)
		if n, _ := list(time.Minute, time.Second); n != 2 {
			t.Errorf("%d listed after it was forgotten, want 2", n)
		}
	})
}
