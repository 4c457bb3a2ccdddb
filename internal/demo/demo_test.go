package demo_test

import (
	"bytes"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/internal/brokers"
	"weir/internal/demo"
	"weir/internal/drivers"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

// inMemory is a brokers.Open for the fake clock.
func inMemory(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
	b := memory.New(d.Name)
	b.DeclareExchange("shipped", memory.Topic) // JetStream declares one with its first sink
	return b, func() {}, nil
}

// told is what weir does in twenty seconds, figures left out.
var told = []string{
	`overflow opens: ready \d+, opens at 1000; to us`,
	`now to ap \(passed over: us: no room: ready \d+, resumes at 300\)`,
	`now to us`,
	`overflow shuts: ready \d+, shuts at 200`,
}

// Ensure twenty seconds show all that there is to see: overflow opens, passes over a destination that is full and comes
// back to it, and shuts.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		report, err := demo.Run(t.Context(), options(t, inMemory, 20*time.Second, demo.Lines(&out)))
		if err != nil {
			t.Fatal(err)
		}
		wantTold(t, out.String(), told)
		wantAllThere(t, report)
	})
}

// Ensure the same on the brokers that a user of the demo sees.
func TestOnEmbeddedBrokers(t *testing.T) {
	var out bytes.Buffer
	report, err := demo.Run(t.Context(), options(t, drivers.Open("test"), 15*time.Second, demo.Lines(&out)))
	t.Logf("\n%s%s", &out, report)
	if err != nil {
		t.Fatal(err)
	}
	lines := weirLines(out.String())
	if len(lines) < 2 || !matches(told[0], lines[0]) || !matches(told[len(told)-1], lines[len(lines)-1]) {
		t.Errorf("overflow did not open first and shut last:\n%s", &out)
	}
	wantAllThere(t, report)
}

// Ensure an interrupt ends the demo early, and it still accounts for every order.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel) // while overflow is open
		began := time.Now()
		var out bytes.Buffer
		report, err := demo.Run(ctx, options(t, inMemory, 0, demo.Lines(&out)))
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it went on for %v", took)
		}
		wantTold(t, out.String(), []string{told[0], told[len(told)-1]})
		wantAllThere(t, report)
	})
}

// Ensure that orders which never arrive, and those of which eu never hears, are counted as lost, and the demo does not wait
// for ever.
func TestLostOrders(t *testing.T) {
	for name, where := range map[string]broker.Address{
		"order": {Queue: "orders"},
		"news":  {Exchange: "shipped"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leaky := func(ctx context.Context, d brokers.Declared, log *slog.Logger) (broker.Broker, func(), error) {
					b, closeIt, err := inMemory(ctx, d, log)
					return leak{b.(*memory.Broker), where}, closeIt, err
				}
				report, err := demo.Run(t.Context(), options(t, leaky, time.Second, func(demo.Moment) {}))
				if err != nil {
					t.Fatal(err)
				}
				if report.Produced < 100 || report.Lost != report.Produced/10 {
					t.Errorf("every tenth was thrown away, and the report is %+v", report)
				}
				if s := report.String(); !strings.Contains(s, "were lost") {
					t.Errorf("the report does not say so: %s", s)
				}
			})
		})
	}
}

// leak confirms every message to an address and throws away every tenth.
type leak struct {
	*memory.Broker
	where broker.Address
}

func (l leak) OpenSink(ctx context.Context, at broker.Address, o broker.SinkOptions) (broker.Sink, error) {
	s, err := l.Broker.OpenSink(ctx, at, o)
	if at != l.where {
		return s, err
	}
	return &leakySink{Sink: s}, err
}

type leakySink struct {
	broker.Sink
	n int
}

func (s *leakySink) Send(ctx context.Context, m *broker.Message) (broker.Confirm, error) {
	if s.n++; s.n%10 != 0 {
		return s.Sink.Send(ctx, m)
	}
	c := new(broker.Answer)
	c.Settle(nil)
	return c, nil
}

func options(t *testing.T, open brokers.Open, lasts time.Duration, show func(demo.Moment)) demo.Options {
	return demo.Options{
		Folder: t.TempDir(),
		For:    lasts,
		Open:   open,
		Show:   show,
		Log:    slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// weirLines are those in which weir has decided something.
func weirLines(out string) (lines []string) {
	for line := range strings.Lines(out) {
		if _, text, ok := strings.Cut(line, " >> "); ok {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return lines
}

func matches(pattern, line string) bool {
	return regexp.MustCompile("^" + pattern + "$").MatchString(line)
}

// wantTold fails unless weir did what the patterns say, in their order and nothing else.
func wantTold(t *testing.T, out string, patterns []string) {
	t.Helper()
	lines := weirLines(out)
	good := len(lines) == len(patterns)
	for i := range min(len(lines), len(patterns)) {
		good = good && matches(patterns[i], lines[i])
	}
	if !good {
		t.Errorf("weir did not do %q:\n%s", patterns, out)
	}
}

// wantAllThere fails unless the overflow carried orders, each was consumed once, in order, and eu has heard of each.
func wantAllThere(t *testing.T, r demo.Report) {
	t.Helper()
	if r.Lost != 0 || r.Duplicated != 0 || r.Reordered != 0 || r.Overflowed == 0 {
		t.Errorf("%+v", r)
	}
	away := r.Consumed["us"] + r.Consumed["ap"]
	if int64(away) != r.Overflowed || away != r.Federated || r.Consumed["eu"]+away != r.Produced {
		t.Errorf("the figures do not add up: %+v", r)
	}
}
