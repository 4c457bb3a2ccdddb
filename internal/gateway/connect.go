package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/federation"
	"weir/internal/brokers"
	"weir/shovel"
)

// connectTimeout bounds each question that Connect asks a broker.
const connectTimeout = 10 * time.Second

// ErrUnreachable says that a broker did not let us in, for another reason than credentials.
var ErrUnreachable = errors.New("unreachable")

// Connect dials every declared broker and looks whether links would open there: whether queues and exchanges exist, and
// the user may use them, whether what is rejected is kept, whether federation can learn what there is, and (a warning)
// whether its policies match any of it. It changes and consumes nothing. Embedded brokers are left out: they exist only inside a process that runs. Each Problem ends in its
// cure; file stands in them. reached is false if a broker could not be asked.
func Connect(ctx context.Context, file string, cfg *configs.Config, open brokers.Open, log *slog.Logger) (found configs.Problems, reached bool) {
	ends := shovel.Ends(cfg)
	names := slices.Sorted(maps.Keys(cfg.Brokers))
	looks := make([]look, len(names))
	var looking sync.WaitGroup
	for i, name := range names {
		if cfg.Brokers[name].Type == configs.Embedded {
			continue
		}
		looking.Go(func() {
			looks[i] = look{ctx: ctx, cfg: cfg, file: file, broker: name, listed: listed(cfg, name)}
			looks[i].at(brokers.Declare(cfg, name), ends, open, log)
		})
	}
	looking.Wait()
	reached = true
	for _, l := range looks {
		found = append(found, l.found...)
		reached = reached && !l.unreachable
	}
	return found, reached
}

// listed tells whether weir will ask a broker what exists there: it is a downstream, or has a management API to be asked.
func listed(cfg *configs.Config, name string) bool {
	return isDownstream(cfg, name) || cfg.Brokers[name].Management != nil
}

func isDownstream(cfg *configs.Config, name string) bool {
	for _, p := range cfg.Policies {
		if p.Downstream == name {
			return true
		}
	}
	return false
}

// look is what is seen of one broker.
type look struct {
	ctx          context.Context
	cfg          *configs.Config
	file, broker string
	listed       bool
	found        configs.Problems
	unreachable  bool
}

func (l *look) at(declared brokers.Declared, ends []shovel.End, open brokers.Open, log *slog.Logger) {
	path := configs.Place("brokers", l.broker)
	b, closeIt, err := open(l.ctx, declared, log)
	if err != nil {
		l.mistake(path, err.Error())
		return
	}
	defer closeIt()
	checker, ok := b.(broker.Checker)
	if !ok {
		l.mistake(path, "cannot be looked at before links run")
		return
	}
	if err := ask(l.ctx, func(ctx context.Context) error {
		return checker.Check(ctx, broker.Address{}, broker.AsDestination, true)
	}); err != nil {
		cure := "is it up, and do uris and tls fit?"
		switch {
		case errors.Is(err, broker.ErrDenied):
			cure = "look at username, password and vhost"
		case errors.Is(err, configs.ErrSecret):
			cure = "weir must be able to read that file"
		}
		l.fail(path, err, cure)
		return
	}
	if catalog, ok := b.(broker.Catalog); ok && l.listed {
		l.list(path, catalog)
	}
	for _, e := range ends {
		if e.Broker == l.broker {
			l.end(checker, e)
		}
	}
}

// list looks whether the broker tells what exists there, and whether policies find something in it.
func (l *look) list(path string, catalog broker.Catalog) {
	var exchanges []broker.Exchange
	var queues []broker.Queue
	err := ask(l.ctx, func(ctx context.Context) (err error) {
		if exchanges, err = catalog.Exchanges(ctx); err == nil && isDownstream(l.cfg, l.broker) {
			queues, err = catalog.Queues(ctx)
		}
		return err
	})
	switch {
	case errors.Is(err, broker.ErrDenied):
		l.fail(path, err, "grant the permission to the user, or let another ask")
	case err != nil:
		l.fail(path, err, "is it up, and do its uris fit?")
	default:
		for policy, wrong := range federation.Foresee(l.cfg, l.broker, exchanges, queues) {
			l.found = append(l.found, configs.Problem{
				File: l.file, Path: configs.Place("policies", policy), Message: wrong + " on broker " + l.broker, Severity: configs.Warning,
			})
		}
	}
}

// end looks at one address.
func (l *look) end(checker broker.Checker, e shovel.End) {
	err := ask(l.ctx, func(ctx context.Context) error {
		return checker.Check(ctx, e.At, e.As, e.Predeclared)
	})
	switch {
	case errors.Is(err, broker.ErrDenied):
		l.fail(e.Path, err, "grant the permission to the user, or log in as another")
	case errors.Is(err, broker.ErrNotFound):
		l.fail(e.Path, err, "declare it on broker "+e.Broker)
	case errors.Is(err, broker.ErrUnsupported):
		l.fail(e.Path, err, "address it in this broker's words")
	case err != nil:
		l.fail(e.Path, err, "try again")
	case e.Rejects:
		l.rejects(checker, e)
	}
}

// rejects looks whether what is rejected at a source is kept.
func (l *look) rejects(checker broker.Checker, e shovel.End) {
	var kept bool
	err := ask(l.ctx, func(ctx context.Context) (err error) {
		kept, err = checker.DeadLetters(ctx, e.At)
		return err
	})
	if errors.Is(err, broker.ErrNotFound) { // it will be declared
		_, kept = e.DeclareArgs["x-dead-letter-exchange"]
		err = nil
	}
	switch {
	case err != nil:
		l.fail(e.Path, err, "then: reject needs a dead-letter exchange, and whether there is one cannot be told")
	case !kept:
		l.mistake(e.Path, fmt.Sprintf("%s on broker %s has no dead-letter exchange, so then: reject would delete messages; "+
			"give the queue one by a policy, or write then: dead-letter", e.At, l.broker))
	}
}

func (l *look) fail(path string, err error, cure string) {
	l.unreachable = l.unreachable || errors.Is(err, ErrUnreachable)
	l.mistake(path, err.Error()+"; "+cure)
}

func (l *look) mistake(path, message string) {
	l.found = append(l.found, configs.Problem{File: l.file, Path: path, Message: message, Severity: configs.Mistake})
}

// ask bounds one question, and marks an answer that did not come from the broker as ErrUnreachable.
func ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err := question(ctx)
	switch {
	case err == nil, errors.Is(err, broker.ErrDenied), errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrUnsupported),
		errors.Is(err, configs.ErrSecret):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer within %v", ErrUnreachable, connectTimeout)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
