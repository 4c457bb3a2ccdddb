package shovel_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// places notes where messages went, in one link's goroutines, one after the other.
type places struct{ taken, passedOver []string }

func (p *places) follow(*broker.Message, string) link.Trail { return p }
func (p *places) Sending(*broker.Message)                   {}
func (p *places) Sent(to broker.Place, _ string, passedOver []string) {
	p.taken, p.passedOver = append(p.taken, to.String()), passedOver
}
func (p *places) Answered(error)     {}
func (p *places) Ended(link.Outcome) {}

// Each message's own way is told, not the preferred one.
func TestTrailNamesTheDestinationThatTookTheMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		specs, told := w.specs(pair), &places{}
		specs[0].Observe = told.follow
		w.group.Apply(specs)
		w.eu.Put("orders", "1")
		w.within(time.Second, "the first takes it", func() bool { return depth(w.us, "orders") == 1 })
		w.us.Down(errRefused)
		w.us.Cut()
		w.eu.Put("orders", "2")
		w.within(time.Minute, "the next takes it", func() bool { return depth(w.ap, "orders") == 1 && depth(w.eu, "orders") == 0 })
		w.after(time.Second)
		if want := []string{"us queue=orders", "ap queue=orders"}; !slices.Equal(told.taken, want) {
			t.Errorf("told %v, want %v", told.taken, want)
		}
		if len(told.passedOver) != 1 || !strings.HasPrefix(told.passedOver[0], "us: ") {
			t.Errorf("passed over %q, want why us was", told.passedOver)
		}
	})
}
