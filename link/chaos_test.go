package link_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// storm is what happens to a link for a while, drawn by a seed, so that a failure can be repeated.
type storm struct {
	*rig
	*rand.Rand
	gate     *gate
	nowhere  *nowhere
	touched  map[string]bool // refused or ruled out at some time: these may come late
	faults   int             // sessions that were cut
	sessions int             // runs of the link
}

const stormMessages = 2000

// blow lets things happen until everything has arrived.
func (s *storm) blow(deeds []func()) {
	s.start()
	s.sessions = 1
	put := 0
	for range 300 {
		if n := min(s.IntN(30), stormMessages-put); n > 0 {
			s.put(n)
			put += n
		}
		deeds[s.IntN(len(deeds))]()
		s.after(time.Duration(s.IntN(400)) * time.Millisecond)
	}
	s.put(stormMessages - put)
	s.calm()
	s.until(30*time.Minute, "everything has arrived", func() bool {
		if s.state() == link.Paused {
			s.link.Resume()
		}
		return s.remain() == 0
	})
}

// calm ends whatever is wrong.
func (s *storm) calm() {
	s.to.Unblock()
	s.to.Up()
	s.from.Up()
	s.to.Refuse(nil)
	s.to.ReleaseConfirms()
	s.to.Latency(time.Millisecond)
	s.nowhere.rule()
	s.gate.set(true)
	s.link.Resume()
}

// some are a few messages that have been published.
func (s *storm) some() []string {
	var some []string
	for range s.IntN(5) {
		body := number(s.IntN(s.source.put + 1))
		s.touched[body] = true
		some = append(some, body)
	}
	return some
}

// gentle deeds: an operator's and a healthy broker's.
func (s *storm) gentle() []func() {
	return []func(){
		func() { s.to.Latency(time.Duration(s.IntN(100)) * time.Millisecond) },
		func() { s.to.Block("low on memory") },
		s.to.Unblock,
		s.to.Unblock,
		func() { s.link.Pause("by hand") },
		func() { s.link.Resume() },
		func() { s.link.Resume() },
		func() { s.gate.set(false) },
		func() { s.gate.set(true) },
		func() { s.gate.set(true) },
		func() { s.to.Unblock(); s.stop(); s.start(); s.sessions++ },
		func() { s.nowhere.rule(s.some()...) },
		func() { s.nowhere.rule() },
		func() {
			bad, answer := s.some(), []error{broker.ErrRefused, broker.ErrUnroutable}[s.IntN(2)]
			s.to.Refuse(func(m *broker.Message) error {
				if slices.Contains(bad, string(m.Body)) {
					return answer
				}
				return nil
			})
		},
		func() { s.to.Refuse(nil) },
		func() {},
	}
}

// rough deeds: connections and brokers that fail.
func (s *storm) rough() []func() {
	cut := func(end ...func()) {
		s.faults++
		for _, cut := range end {
			cut()
		}
	}
	return []func(){
		func() { cut(s.to.Cut) },
		func() { cut(s.to.Cut) },
		func() { cut(s.from.Cut) },
		func() { cut(s.from.Cut, s.to.Cut) },
		func() { s.to.Down(errAway); cut(s.to.Cut) },
		func() { s.from.Down(errAway); cut(s.from.Cut) },
		func() { s.to.Silent() },
		func() { s.to.Up(); s.from.Up() },
		func() { s.to.Up(); s.from.Up() },
		s.to.HoldConfirms,
		s.to.ReleaseConfirms,
		s.to.ReleaseConfirms,
	}
}

func brew(t *testing.T, seed uint64, test func(s *storm)) {
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		play(t, func(r *rig) {
			s := &storm{rig: r, Rand: rand.New(rand.NewPCG(seed, 0)), gate: newGate(true), touched: map[string]bool{}}
			s.nowhere = r.strands()
			r.spec.Gate = s.gate
			r.spec.ConfirmTimeout, r.spec.NowhereDelay = 3*time.Second, time.Second
			r.spec.Window = []int{0, 0, 1, 7, 50}[s.IntN(5)]
			r.spec.OnRefused.Attempts, r.spec.OnUnroutable.Attempts = 4, 4
			test(s)
		})
	})
}

// Without a cut connection everything arrives exactly once, and all but what was refused in order.
func TestGentleStorm(t *testing.T) {
	for seed := range uint64(40) {
		brew(t, seed, func(s *storm) {
			s.blow(s.gentle())
			got := s.out()
			sorted := slices.Clone(got)
			slices.Sort(sorted)
			s.same("what arrived", sorted, numbers(stormMessages))
			s.ordered(got)
		})
	}
}

// With cut connections everything arrives at least once, first arrivals in order, and duplicates are bounded by the window.
func TestRoughStorm(t *testing.T) {
	for seed := range uint64(60) {
		brew(t, seed, func(s *storm) {
			s.blow(append(s.gentle(), s.rough()...))
			seen := map[string]bool{}
			var first []string
			for _, body := range s.out() {
				if !seen[body] {
					seen[body] = true
					first = append(first, body)
				}
			}
			sorted := slices.Clone(first)
			slices.Sort(sorted)
			s.same("what arrived", sorted, numbers(stormMessages))
			s.ordered(first)
			if w := s.spec.Window; w > 0 {
				if extra := len(s.out()) - len(first); extra > 3*w*(s.faults+s.sessions) {
					s.Errorf("%d duplicates after %d faults with a window of %d", extra, s.faults, w)
				}
			}
		})
	}
}

// ordered demands the order of all messages that were never refused.
func (s *storm) ordered(got []string) {
	got = slices.DeleteFunc(slices.Clone(got), func(body string) bool { return s.touched[body] })
	for i := 1; i < len(got); i++ {
		if got[i] < got[i-1] {
			s.Errorf("%s came after %s", got[i], got[i-1])
			return
		}
	}
}
