package brokers_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/brokers"
)

// opener opens brokers in memory, and notes what is opened and closed.
type opener struct {
	fails  string // the broker that cannot be opened
	events []string
}

func (o *opener) open(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
	if d.Name == o.fails {
		return nil, nil, errors.New("no such folder")
	}
	o.events = append(o.events, "open "+d.Name)
	return memory.New(d.Name), func() { o.events = append(o.events, "close "+d.Name) }, nil
}

// took returns what has happened since it was called last.
func (o *opener) took() []string {
	events := o.events
	o.events = nil
	return events
}

func config(declared ...configs.Broker) *configs.Config {
	cfg := &configs.Config{Brokers: map[string]configs.Broker{}}
	for _, b := range declared {
		cfg.Brokers[b.Name] = b
	}
	return cfg
}

func rabbit(name, password string) configs.Broker {
	return configs.Broker{Name: name, Type: configs.RabbitMQ, Password: configs.NewSecret(password)}
}

func embedded(name, folder string) configs.Broker {
	return configs.Broker{Name: name, Type: configs.Embedded, EmbeddedNodes: configs.EmbeddedNodes{DataDir: folder}}
}

// A broker is the same one until its declaration changes, be it only a secret.
func TestNextKeepsWhatIsDeclaredTheSame(t *testing.T) {
	var o opener
	first := next(t, nil, &o, rabbit("eu", "one"), rabbit("us", "one"), rabbit("gone", "one"))
	expect(t, o.took(), "open eu", "open gone", "open us")
	second := next(t, first, &o, rabbit("eu", "one"), rabbit("us", "two"), rabbit("new", "one"))
	expect(t, o.took(), "open new", "open us")
	for name, same := range map[string]bool{"eu": true, "us": false} {
		before, version := first.Find(name)
		after, nextVersion := second.Find(name)
		if (before == after) != same || (version == nextVersion) != same {
			t.Errorf("%s is the same broker: %v, of the same version: %v; want %v", name, before == after, version == nextVersion, same)
		}
	}
	first.CloseExcept(second)
	closed := o.took()
	slices.Sort(closed)
	expect(t, closed, "close gone", "close us")
	if b, _ := second.Find("gone"); b != nil {
		t.Error("what is not declared any more is still found")
	}
}

// A set that cannot be completed leaves nothing open, and closes nothing of the one before.
func TestNextThatFailsChangesNothing(t *testing.T) {
	o := opener{fails: "us"}
	first := next(t, nil, &o, rabbit("eu", ""))
	o.took()
	_, err := first.Next(t.Context(), config(rabbit("eu", ""), rabbit("ap", ""), rabbit("us", "")), o.open, slog.Default())
	if err == nil || err.Error() != "open broker us: no such folder" {
		t.Errorf("got %v", err)
	}
	expect(t, o.took(), "open ap", "close ap")
}

// Two embedded brokers must never have the same folder at the same time, whatever they are called.
func TestNextRefusesToChangeAnEmbeddedBroker(t *testing.T) {
	var o opener
	first := next(t, nil, &o, embedded("dev", "/data"))
	o.took()
	changed := embedded("dev", "/data")
	changed.Listen = "127.0.0.1:4222"
	for _, b := range []configs.Broker{changed, embedded("renamed", "/data")} {
		if _, err := first.Next(t.Context(), config(b), o.open, slog.Default()); !errors.Is(err, brokers.ErrRestart) {
			t.Errorf("%s: got %v, want ErrRestart", b.Name, err)
		}
	}
	next(t, first, &o, embedded("dev", "/data"), embedded("other", "/elsewhere"))
	expect(t, o.took(), "open other")
}

func next(t *testing.T, s *brokers.Set, o *opener, declared ...configs.Broker) *brokers.Set {
	t.Helper()
	n, err := s.Next(t.Context(), config(declared...), o.open, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
