// Package demo shows weir at work: three regions on brokers inside the process, applications in each, and the gateway
// with a weir.yaml that a user could have written. Nothing is pretended: applications and gateway share nothing but the
// brokers, and the report counts what consumers have got.
//
//	weir.yaml       what the gateway runs
//	demo.go         start, end
//	script.go       how fast the applications work, and when
//	region.go       a broker and its applications: produce, consume, hear what was shipped
//	ledger.go       who consumed which order, and of which eu has heard -> Report
//	story.go        what weir does, in words
//	moment.go       all that is shown at one moment; screen.go and lines.go show it
package demo

import (
	"context"
	_ "embed" // of weir.yaml
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/link"
)

// Config is the configuration that the demo's gateway runs.
//
//go:embed weir.yaml
var Config []byte

// dataVariable stands in Config for the folder of the brokers, shovel is the link it declares.
const (
	dataVariable = "WEIR_DEMO_DATA"
	shovel       = "orders-overflow"
)

// tick is how often the demo looks at what it shows; stall is how long it waits for an order that does not come,
// startLimit for federation to begin.
const (
	tick       = 250 * time.Millisecond
	stall      = 10 * time.Second
	startLimit = time.Minute
)

// Options are what a demo needs.
type Options struct {
	// Folder is where the brokers keep their messages. The caller makes and removes it.
	Folder string
	// For is how long orders are produced. 0: until ctx ends.
	For time.Duration
	// Open makes the brokers.
	Open brokers.Open
	// Show is called with each moment, four times a second.
	Show func(Moment)
	// Observe makes observers of the gateway's links. nil: nobody observes.
	Observe func(cfg *configs.Config, spec link.Spec) link.Observe
	// Serve is called once, when the gateway runs; what it starts may use the gateway also after the end. nil: nothing is.
	Serve func(*gateway.Gateway)
	// Log is for the gateway and the brokers.
	Log *slog.Logger
}

// demo is one run.
type demo struct {
	Options
	cfg     *configs.Config
	script  *script
	ledger  *ledger
	story   story
	regions []*region // the first is where orders arrive
	gateway *gateway.Gateway
	paces   paces

	living  context.Context // the life of the gateway and the consumers
	fail    context.CancelCauseFunc
	running sync.WaitGroup // applications
}

// Run has orders produced for as long as Options say, or until ctx ends. Then it waits until every order has been
// consumed and the overflow is shut, and reports. With an error there is nothing to report.
func Run(ctx context.Context, o Options) (Report, error) {
	d := &demo{Options: o, script: newScript(o.For), ledger: new(ledger)}
	d.living, d.fail = context.WithCancelCause(context.WithoutCancel(ctx))
	defer d.stop()
	if err := d.start(ctx); err != nil {
		return Report{}, err
	}
	d.watch(d.produce(ctx))
	d.drain()
	if err := context.Cause(d.living); err != nil {
		return Report{}, err
	}
	status, err := d.gateway.Link(shovel)
	return d.ledger.report(status.Counts.Confirmed), err
}

// Load reads Config, for brokers that keep their messages in folder.
func Load(folder string) (*configs.Config, configs.Problems, error) {
	return configs.Parse("weir.yaml", Config, func(name string) (string, bool) {
		if name == dataVariable {
			return folder, true
		}
		return os.LookupEnv(name)
	})
}

// start opens the brokers and runs the consumers and the gateway.
func (d *demo) start(ctx context.Context) (err error) {
	load := func() (*configs.Config, configs.Problems, error) { return Load(d.Folder) }
	cfg, warnings, err := load()
	if err != nil {
		return err
	}
	d.cfg = cfg
	for _, name := range []string{"eu", "us", "ap"} {
		b, closeIt, err := d.Open(ctx, brokers.Declare(cfg, name), d.Log)
		if err != nil {
			return fmt.Errorf("open broker %s: %w", name, err)
		}
		r := &region{name: name, broker: b, close: closeIt, ledger: d.ledger}
		d.regions = append(d.regions, r)
		source, err := r.subscribe(ctx, orders)
		if err != nil {
			return fmt.Errorf("consumer in %s: %w", name, err)
		}
		d.work("consumer in "+name, func() error { return r.consume(d.living, source, d.script.consumers[name]) })
	}
	eu := d.regions[0]
	source, err := eu.subscribe(ctx, customers)
	if err != nil {
		return fmt.Errorf("customers in %s: %w", eu.name, err)
	}
	d.work("customers in "+eu.name, func() error { return eu.hear(d.living, source) })
	d.gateway, err = gateway.Start(d.living, cfg, warnings, gateway.Options{
		File: "weir.yaml", Load: load, Open: d.open, Log: d.Log, Observe: d.Observe,
	})
	if err != nil {
		return err
	}
	if d.Serve != nil {
		d.Serve(d.gateway)
	}
	if err := d.awaitBindings(ctx); err != nil {
		return err
	}
	d.story.began = time.Now()
	return nil
}

// awaitBindings returns when each upstream knows what eu asks for: what was published there before would not come.
func (d *demo) awaitBindings(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(tick / 10)
	defer ticker.Stop()
	for {
		equal := 0
		for _, l := range d.gateway.Status().Links {
			if l.Federation != nil && !l.Federation.EqualAt.IsZero() {
				equal++
			}
		}
		if equal == len(d.cfg.Upstreams) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d upstreams know the bindings of eu: %w", equal, len(d.cfg.Upstreams), ctx.Err())
		}
	}
}

// open is the gateway's brokers.Open. The brokers are those that the applications use; the demo closes them itself.
func (d *demo) open(_ context.Context, declared brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
	for _, r := range d.regions {
		if r.name == declared.Name {
			return r.broker, func() {}, nil
		}
	}
	return nil, nil, fmt.Errorf("the demo has no broker %s", declared.Name)
}

// work runs an application; if it fails, the demo does.
func (d *demo) work(what string, application func() error) {
	d.running.Go(func() {
		if err := application(); err != nil && d.living.Err() == nil {
			d.fail(fmt.Errorf("%s: %w", what, err))
		}
	})
}

// stop ends everything, and returns when nothing of the demo runs any more.
func (d *demo) stop() {
	d.fail(nil)
	d.running.Wait()
	if d.gateway != nil {
		d.gateway.Wait()
	}
	for _, r := range d.regions {
		r.close()
	}
}

// produce runs the producer until ctx ends, the time is up, or the demo fails. It returns what is closed when the producer
// has ended and its orders are confirmed.
func (d *demo) produce(ctx context.Context) (ended <-chan struct{}) {
	producing, end := context.WithCancel(d.living)
	unlink := context.AfterFunc(ctx, end)
	done := make(chan struct{})
	d.work("producer", func() error {
		defer close(done)
		defer end()
		defer unlink()
		if d.For > 0 {
			timer := time.AfterFunc(d.For, end)
			defer timer.Stop()
		}
		return d.regions[0].produce(producing, d.script.producer)
	})
	return done
}

// watch shows what happens, and follows the script, until done.
func (d *demo) watch(done <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if d.script.turn(time.Since(d.story.began)) {
			d.story.world(d.script.words())
		}
		d.Show(d.look())
		select {
		case <-ticker.C:
		case <-done:
			return
		}
	}
}

// drain shows what happens until all is at rest, or no order is consumed any more.
func (d *demo) drain() {
	d.script.finish()
	d.story.world("no more orders arrive; all consumers work as fast as they can")
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for missing, since := -1, time.Now(); ; {
		m := d.look()
		d.Show(m)
		if m.missing != missing {
			missing, since = m.missing, time.Now()
		}
		if m.atRest() || time.Since(since) > stall {
			return
		}
		select {
		case <-ticker.C:
		case <-d.living.Done():
			return
		}
	}
}
