package link_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// Faults in a row are counted as the back-off counts them, also where something opens, or seems to, in between.
func TestFaultsInARowAreCounted(t *testing.T) {
	for name, set := range map[string]func(r *rig){
		"the source cannot be opened": func(r *rig) { r.spec.Source.At.Queue = "missing"; r.spec.Source.Options.Predeclared = true },
		"the source opens and is lost": func(r *rig) {
			r.source.wrap = func(s broker.Source) broker.Source { return lostSource{s} }
		},
		"the owner cannot be asked": func(r *rig) { r.spec.Owner = noOwner{} },
		"a message is refused":      func(r *rig) { r.refuses(refusals["refused"], 0); r.put(1) },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				set(r)
				r.start()
				r.until(time.Minute, "the fifth fault is counted", func() bool {
					s := r.link.Status()
					return s.State == link.Retrying && s.Attempt == 5
				})
				for n := range 5 {
					if lines := r.log.lines(fmt.Sprintf(" attempt=%d ", n+1)); lines != 1 {
						r.Errorf("attempt=%d stands on %d lines of the log", n+1, lines)
					}
				}
			})
		})
	}
}

// lostSource is lost at once.
type lostSource struct{ broker.Source }

func (lostSource) Receive(context.Context) (*broker.Message, error) { return nil, broker.ErrLost }

// Resize implements broker.Resizer.
func (lostSource) Resize(context.Context, int) error { return broker.ErrLost }

// noOwner is another gateway's as long as nobody can be asked.
type noOwner struct{}

func (noOwner) Open(context.Context) (context.Context, func(), error) {
	return nil, nil, broker.ErrLost
}

func (noOwner) Shut() (link.State, string) { return link.Standby, "another gateway runs it" }
