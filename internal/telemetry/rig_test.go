package telemetry_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/telemetry"
	"weir/link"
)

var quiet = slog.New(slog.DiscardHandler)

// rig is three regions in memory and links between them, on the fake clock; spans go to an exporter in memory.
type rig struct {
	*testing.T
	config     *configs.Config
	eu, us, ap *memory.Broker
	spans      *tracetest.InMemoryExporter
	telemetry  *telemetry.Telemetry
}

// play runs test in a bubble, with ratio and propagation set by those given.
func play(t *testing.T, ratio float64, propagation configs.Propagation, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			T: t, eu: memory.New("eu"), us: memory.New("us"), ap: memory.New("ap"), spans: tracetest.NewInMemoryExporter(),
			config: &configs.Config{Site: "eu", Brokers: map[string]configs.Broker{
				"eu": {Type: configs.RabbitMQ}, "us": {Type: configs.RabbitMQ}, "ap": {Type: configs.NATS},
			}},
		}
		for _, b := range []*memory.Broker{r.eu, r.us, r.ap} {
			b.Declare("orders", memory.Queue{})
		}
		r.config.Telemetry.Traces = configs.Traces{Ratio: ratio, Propagation: propagation}
		var err error
		if r.telemetry, err = telemetry.New(t.Context(), r.config, telemetry.Options{Log: quiet}); err != nil {
			t.Fatal(err)
		}
		if propagation != configs.PropagateOff {
			r.telemetry.TraceTo(r.spans, propagation)
		}
		test(r)
	})
}

// link is the spec of a link between queues "orders".
func (r *rig) link(name string, from, to *memory.Broker) link.Spec {
	at, names := broker.Address{Queue: "orders"}, map[*memory.Broker]string{r.eu: "eu", r.us: "us", r.ap: "ap"}
	return link.Spec{
		Name: name, Kind: link.Shovel, Site: "eu",
		Source:      link.Origin{Name: names[from], Broker: from, At: at},
		Destination: link.To{Name: names[to], Broker: to, At: at},
		Reconnect:   link.Delays{Min: 100 * time.Millisecond, Max: time.Second},
	}
}

// run runs links until done says so, and stops them.
func (r *rig) run(done func() bool, specs ...link.Spec) {
	r.Helper()
	ctx, stop := context.WithCancel(r.Context())
	var running sync.WaitGroup
	for _, spec := range specs {
		spec.Observe = r.telemetry.Observe(r.config, spec)
		running.Go(func() { link.New(spec, quiet).Run(ctx) })
	}
	for began := time.Now(); !done(); r.after(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			r.Error("not done within a minute")
			break
		}
	}
	stop()
	running.Wait()
}

// cross lets one message cross from eu to us, and returns it as it arrived.
func (r *rig) cross(m *broker.Message) *broker.Message {
	r.Helper()
	r.put(r.eu, m)
	r.run(r.has(r.us, 1), r.link("orders-to-us", r.eu, r.us))
	return r.us.Take("orders", 1)[0]
}

func (r *rig) put(b *memory.Broker, m *broker.Message) {
	r.Helper()
	m.RoutingKey = "orders"
	if err := b.Publish(m); err != nil {
		r.Fatal(err)
	}
}

// has tells whether n messages are in the queue.
func (*rig) has(b *memory.Broker, n int) func() bool {
	return func() bool { return len(b.Messages("orders")) == n }
}

// after lets time pass.
func (*rig) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// span finds the only span of a name.
func (r *rig) span(name string) tracetest.SpanStub {
	r.Helper()
	var found []tracetest.SpanStub
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		r.Fatalf("%d spans %q among %v, want one", len(found), name, r.names())
	}
	return found[0]
}

func (r *rig) names() []string {
	var names []string
	for _, s := range r.spans.GetSpans() {
		names = append(names, s.Name)
	}
	return names
}

// attributes are those of a span, as values.
func attributes(s tracetest.SpanStub) map[string]any {
	all := make(map[string]any, len(s.Attributes))
	for _, a := range s.Attributes {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

// says demands attributes; nil: absent.
func (r *rig) says(s tracetest.SpanStub, want map[string]any) {
	r.Helper()
	got := attributes(s)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			r.Errorf("%s: %s differs (-want +got):\n%s", s.Name, key, diff)
		}
	}
}
