package federation

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
)

// Who waits for what one reload has stopped is not led astray by what another one stops meanwhile.
func TestDrainedWhileOthersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDownstream(t.Context(), slog.New(slog.DiscardHandler), nil, nil)
		leave := func() *mirror {
			m := &mirror{stopped: make(chan struct{}), cancel: func() {}}
			d.retire(m, false)
			return m
		}
		slow, quick, last := leave(), leave(), leave()
		var waiting sync.WaitGroup
		drained, end := context.WithCancel(context.Background())
		waiting.Go(func() { d.drained(); end() })
		synctest.Wait()
		close(quick.stopped)
		leave() // forgets quick
		close(slow.stopped)
		synctest.Wait()
		if drained.Err() != nil {
			t.Error("it did not wait for all")
		}
		close(last.stopped)
		waiting.Wait()
	})
}
