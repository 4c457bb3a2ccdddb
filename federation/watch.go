package federation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"weir/broker"
	"weir/link"
)

const (
	// listEvery is how often it is looked at which exchanges and queues there are, where nothing tells; fullEvery how
	// often everything is read though changes are told, because some are missed.
	listEvery = 5 * time.Second
	fullEvery = 30 * time.Second
	// debounce is how long hints are gathered before anything is read.
	debounce = 50 * time.Millisecond
	// hintsAgain is how soon hints are asked for again where there were none or they have ended.
	hintsAgain  = 15 * time.Second
	readTimeout = 10 * time.Second
	// askedAtOnce bounds how many exchanges wait to be read because somebody has asked.
	askedAtOnce = 64
)

// watchDelays bound the wait after a failure.
var watchDelays = link.Delays{Min: time.Second, Max: 30 * time.Second}

// watch reads what exists on a downstream broker, again and again, and tells its supervisor: the catalog's hints say what
// to read at once, and a slow full reading finds what they have missed. Without hints everything is polled. Only its own
// goroutine uses its fields.
type watch struct {
	d       *downstream
	to      end
	budget  *rate.Limiter
	poked   chan struct{} // cap 1: the plan has changed
	asked   chan string   // exchanges whose bindings are to be read again
	cancel  context.CancelFunc
	stopped chan struct{}

	hints      <-chan broker.Hint // nil: there are none
	endHints   context.CancelFunc // set while there are hints
	hintsTried time.Time
	listed     time.Time // when last; zero: list now
	exchanges  schedule
}

func newWatch(d *downstream, to end) *watch {
	return &watch{
		d: d, to: to,
		budget:  rate.NewLimiter(requestsPerSecond, requestsPerSecond),
		poked:   make(chan struct{}, 1),
		asked:   make(chan string, askedAtOnce),
		stopped: make(chan struct{}),
	}
}

func (w *watch) start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.d.running.Go(func() {
		defer close(w.stopped)
		w.run(ctx)
	})
}

func (w *watch) hasStopped() bool { return isClosed(w.stopped) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (w *watch) run(ctx context.Context) {
	retry := link.NewBackoff(watchDelays)
	for ctx.Err() == nil {
		next, err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			retry.Reset()
			w.wait(ctx, next)
			continue
		}
		delay := retry.Next()
		if hopeless(err) {
			delay = watchDelays.Max
		}
		w.d.unknown(w, err, time.Now().Add(delay))
		w.listed = time.Time{}
		w.wait(ctx, delay)
	}
}

// look reads what is due most, one thing at a time, and tells when the next is.
func (w *watch) look(ctx context.Context) (next time.Duration, err error) {
	catalog, ok := w.to.broker.(broker.Catalog)
	if !ok {
		return 0, fmt.Errorf("what exists there: %w", broker.ErrUnsupported)
	}
	w.openHints(ctx, catalog)
	if w.listed.IsZero() || time.Since(w.listed) >= w.listInterval() {
		return 0, w.list(ctx, catalog)
	}
	exchange, at, found := w.exchanges.next(w.hints != nil)
	if found && !at.After(time.Now()) {
		return 0, w.read(ctx, catalog, exchange)
	}
	if list := w.listed.Add(w.listInterval()); !found || list.Before(at) {
		at = list
	}
	return time.Until(at), nil
}

// openHints asks the broker to tell of changes, from before they are read on.
func (w *watch) openHints(ctx context.Context, catalog broker.Catalog) {
	if w.hints == nil && (w.hintsTried.IsZero() || time.Since(w.hintsTried) >= hintsAgain) {
		w.hintsTried = time.Now()
		hints, end, err := hintsOf(ctx, catalog)
		if err == nil {
			w.hints, w.endHints = hints, end
			w.forget()
		} else if !errors.Is(err, broker.ErrUnsupported) {
			w.d.log.Debug("no hints", "broker", w.to.name, "error", err)
		}
	}
	noticed := "at once"
	if w.hints == nil {
		noticed = "every " + w.exchanges.interval().String()
	}
	w.d.noticedBy.Store(&noticed)
}

// hintsOf asks for hints, which last until end is called; the answer must come within readTimeout.
func hintsOf(ctx context.Context, catalog broker.Catalog) (hints <-chan broker.Hint, end context.CancelFunc, err error) {
	ctx, end = context.WithCancel(ctx)
	late := time.AfterFunc(readTimeout, end)
	hints, err = catalog.Hints(ctx)
	if !late.Stop() || err != nil {
		end()
	}
	return hints, end, err
}

// forget makes everything due.
func (w *watch) forget() {
	w.listed = time.Time{}
	w.exchanges.forget()
}

func (w *watch) listInterval() time.Duration {
	if w.hints != nil {
		return fullEvery
	}
	return listEvery
}

func (w *watch) list(ctx context.Context, catalog broker.Catalog) error {
	var have inventory
	plan := w.d.current()
	if plan.wantsExchanges() {
		var err error
		if have.exchanges, err = spend(ctx, w.budget, catalog.Exchanges); err != nil {
			return err
		}
	}
	if plan.wantsQueues() {
		var err error
		if have.queues, err = spend(ctx, w.budget, catalog.Queues); err != nil {
			return err
		}
	}
	w.listed = time.Now()
	w.exchanges.set(w.d.saw(w, have))
	return nil
}

func (w *watch) read(ctx context.Context, catalog broker.Catalog, exchange string) error {
	budget := w.budget
	if w.exchanges.isNew(exchange) { // a start with many would take long; one after the other is no burden
		budget = nil
	}
	began := time.Now()
	bindings, err := spend(ctx, budget, func(ctx context.Context) ([]broker.Binding, error) {
		began = time.Now()
		return catalog.Bindings(ctx, exchange)
	})
	w.exchanges.done(exchange, began)
	if err != nil {
		w.exchanges.hint(exchange) // what it was to say is still to be read
	}
	switch {
	case errors.Is(err, broker.ErrNotFound): // it has just gone
		w.listed = time.Time{}
		return nil
	case err != nil:
		return err
	}
	w.d.bound(w, exchange, observed{bindings, began})
	return nil
}

// spend makes one request within a budget (nil: none) and a time limit.
func spend[T any](ctx context.Context, budget *rate.Limiter, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if budget != nil {
		if err := budget.Wait(ctx); err != nil {
			var none T
			return none, err
		}
	}
	return request(ctx)
}

// wait waits so long, or until there is a hint or another plan.
func (w *watch) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	gathering := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-w.poked:
			w.listed = time.Time{}
			return
		case exchange := <-w.asked:
			w.exchanges.hint(exchange)
		case hint, open := <-w.hints:
			switch {
			case !open:
				w.endHints()
				w.hints = nil
				w.forget()
				return
			case hint.Exchange == "":
				w.listed = time.Time{}
			default:
				w.exchanges.hint(hint.Exchange)
			}
		}
		if !gathering {
			gathering = true
			timer.Reset(min(debounce, max(d, 0)))
		}
	}
}
