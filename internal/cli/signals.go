package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// outliveReaders keeps the process from dying of a pipe that nobody reads any more: Ctrl-C ends the reader of a log, too,
// mostly before what is in flight has been brought over.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }

// interruptible returns a context that ends at the first SIGINT or SIGTERM, and a channel that is closed at the second.
// stop ends both.
func interruptible(parent context.Context) (ctx context.Context, again <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	second, over, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		for _, then := range []func(){cancel, func() { close(second) }} {
			select {
			case <-signals:
				then()
			case <-over:
				return
			}
		}
	}()
	return ctx, second, func() {
		signal.Stop(signals)
		close(over)
		<-left
		cancel()
	}
}
