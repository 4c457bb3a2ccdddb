package link_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// trails are what a link told of each message, in words, by its body.
type trails struct {
	mu    sync.Mutex
	words map[string][]string
}

// follow has the link tell of the messages of these numbers.
func (r *rig) follow(which ...int) *trails {
	all := &trails{words: map[string][]string{}}
	followed := map[string]bool{}
	for _, i := range which {
		followed[number(i)] = true
	}
	r.spec.Observe = func(m *broker.Message, _ string) link.Trail {
		if !followed[string(m.Body)] {
			return nil
		}
		all.say(string(m.Body), "received")
		return trail{all, string(m.Body)}
	}
	return all
}

func (t *trails) say(body, word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.words[body] = append(t.words[body], word)
}

func (t *trails) of(i int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.words[number(i)], ", ")
}

func (t *trails) has(body string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.words[body]) > 0
}

type trail struct {
	*trails
	body string
}

func (t trail) Sending(m *broker.Message) {
	t.say(t.body, "sending")
	m.Headers = m.Headers.With("traceparent", t.body)
}
func (t trail) Sent(to broker.Place, _ string, _ []string) { t.say(t.body, "sent to "+to.String()) }
func (t trail) Answered(err error) {
	t.say(t.body, strings.TrimSuffix(fmt.Sprint("answered ", err), "<nil>"))
}
func (t trail) Ended(o link.Outcome) { t.say(t.body, "ended "+string(o)) }

// tells demands what was told of a message.
func (r *rig) tells(t *trails, i int, want ...string) {
	r.Helper()
	if got := t.of(i); got != strings.Join(want, ", ") {
		r.Errorf("of message %d: %s\nwant %s", i, got, strings.Join(want, ", "))
	}
}

const sent = "sending, sent to us queue=out"

func TestTrailOfMessagesThatGoThrough(t *testing.T) {
	for _, mode := range []link.AckMode{link.OnConfirm, link.NoAck} {
		t.Run(string(mode), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.AckMode = mode
				r.to.Latency(20 * time.Millisecond)
				told := r.follow(3, 4, 99)
				r.put(100)
				r.start()
				r.until(time.Second, "all are acked", func() bool { return len(r.out()) == 100 && r.remain() == 0 })
				r.after(time.Second)
				for _, i := range []int{3, 4, 99} {
					r.tells(told, i, "received", sent, "answered ", "ended forwarded")
				}
				r.tells(told, 5)
				for _, m := range r.to.Messages("out") {
					followed := told.has(string(m.Body))
					if _, stamped := m.Headers["traceparent"]; stamped != followed {
						r.Errorf("%s crossed with headers %v", m.Body, m.Headers)
					}
				}
			})
		})
	}
}

func TestTrailOfRefusedMessage(t *testing.T) {
	for then, want := range map[link.Action]string{
		link.Drop: "ended dropped", link.Reject: "ended rejected", link.DeadLetter: "ended dead-lettered", link.PauseLink: "ended returned",
	} {
		t.Run(string(then), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.OnRefused = link.Recourse{Attempts: 2, Then: then,
					DeadLetter: link.To{Name: "eu", Broker: r.from, At: broker.Address{Queue: "dead"}}}
				told := r.follow(1)
				r.refuses(broker.ErrRefused, 1)
				r.put(3)
				r.start()
				r.until(time.Minute, "it is over", func() bool { return strings.Contains(told.of(1), "ended") })
				const answered = "answered refused by the broker"
				r.tells(told, 1, "received", sent, answered, sent, answered, want)
			})
		})
	}
}

func TestTrailOfMessageThatIsUnwanted(t *testing.T) {
	play(t, func(r *rig) {
		told := r.follow(7)
		r.unwanted(broker.ErrUnwanted)
		r.put(10)
		r.start()
		r.until(time.Second, "all are acked", func() bool { return r.remain() == 0 })
		r.tells(told, 7, "received", sent, "answered not wanted at the destination", "ended filtered")
	})
}

// A lost sink is a second try on the same trail; a lost source ends it, and the message comes again on another.
func TestTrailAcrossLostSessions(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(time.Second)
		told := r.follow(0)
		r.put(1)
		r.start()
		r.until(time.Second, "it is in flight", func() bool { return r.link.Status().InFlight == 1 })
		r.to.Cut()
		r.until(10*time.Second, "it is sent again", func() bool { return strings.Count(told.of(0), "sent") == 2 })
		r.from.Cut()
		r.until(time.Minute, "it is forwarded", func() bool { return strings.Contains(told.of(0), "forwarded") })
		got := told.of(0)
		r.contains("the first try", got, "received, "+sent+", answered session lost: connection cut, "+sent)
		r.contains("the end of the first trail", got, "ended returned, received, "+sent)
		if n, ends := strings.Count(got, "received"), strings.Count(got, "ended"); n != ends {
			r.Errorf("%d trails, %d ends: %s", n, ends, got)
		}
	})
}

// A stop that cannot drain ends the trails of what it gives back, or has lost.
func TestTrailEndsWithTheLink(t *testing.T) {
	for mode, want := range map[link.AckMode]string{link.OnConfirm: "ended returned", link.NoAck: "ended lost"} {
		t.Run(string(mode), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.AckMode = mode
				told := r.follow(0)
				r.to.Block("disk is full")
				r.put(1)
				r.start()
				r.reaches(time.Second, link.Blocked)
				r.stop()
				r.tells(told, 0, "received", "sending", want)
			})
		})
	}
}

// Of several destinations the trail names the one that took the message.
func TestTrailNamesTheDestinationTaken(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
			return router{s}
		}}
		told := r.follow(0)
		r.put(1)
		r.start()
		r.until(time.Second, "it is over", func() bool { return strings.Contains(told.of(0), "ended") })
		r.tells(told, 0, "received", "sending", "sent to ap queue=second", "answered ", "ended forwarded")
	})
}

type router struct{ broker.Sink }

func (router) Route() string { return "the first" }
func (router) Taken() (broker.Place, []string) {
	return broker.Place{Broker: "ap", At: broker.Address{Queue: "second"}}, []string{"us: full"}
}

// How long messages waited and took is counted for all of them.
func TestTimesAreCounted(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(30 * time.Millisecond)
		r.put(2)
		r.after(time.Hour)
		r.start()
		r.arrived(time.Second, 2)
		r.after(time.Second)
		s := r.link.Status()
		for what, c := range map[string]struct {
			is     link.Histogram
			bucket int
			sum    float64
		}{
			"waits":    {s.Waits, len(s.Waits.Bounds) - 1, 7200},
			"confirms": {s.Confirms, slices.Index(s.Confirms.Bounds, .05), .06},
			"transits": {s.Transits, len(s.Transits.Bounds), 7200.06},
		} {
			want := make([]int64, len(c.is.Bounds)+1)
			want[c.bucket] = 2
			if !slices.Equal(c.is.Counts, want) || math.Abs(c.is.Sum-c.sum) > .001 {
				r.Errorf("%s: %+v, want a sum of %v", what, c.is, c.sum)
			}
		}
	})
}
