package link_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/link"
)

// fleet is a group of links from queue <name> of one broker to queue <name> of another.
type fleet struct {
	*rig
	group *link.Group
	end   context.CancelFunc
}

// crew runs test with an empty group.
func crew(t *testing.T, test func(f *fleet)) {
	play(t, func(r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		f := &fleet{rig: r, group: link.NewGroup(ctx, r.logger()), end: cancel}
		r.stop = func() {
			cancel()
			f.group.Wait()
		}
		test(f)
	})
}

// specOf is a link of that name and version.
func (f *fleet) specOf(name, version string) link.Spec {
	f.from.Declare(name, memory.Queue{})
	f.to.Declare(name, memory.Queue{})
	spec := f.spec
	spec.Name, spec.Version = name, version
	spec.Source.At = broker.Address{Queue: name}
	spec.Destination = link.To{Name: "us", Broker: f.to, At: broker.Address{Queue: name}}
	return spec
}

func (f *fleet) status(name string) link.Status {
	f.Helper()
	l, ok := f.group.Link(name)
	if !ok {
		f.Fatalf("no link %q", name)
	}
	return l.Status()
}

func (f *fleet) becomes(name string, s link.State) {
	f.Helper()
	f.eventually(fmt.Sprintf("%s is %s", name, s), func() bool { return f.status(name).State == s })
}

func (f *fleet) eventually(what string, is func() bool) {
	f.Helper()
	for range 6000 {
		f.after(5 * time.Millisecond)
		if is() {
			return
		}
	}
	f.Fatalf("not within 30 s: %s\n%+v", what, f.group.Statuses())
}

func TestApplyTouchesOnlyWhatChanged(t *testing.T) {
	crew(t, func(f *fleet) {
		c := f.group.Apply([]link.Spec{f.specOf("c", "1"), f.specOf("a", "1"), f.specOf("b", "1")})
		f.same("started", c.Started, []string{"a", "b", "c"})
		for _, name := range []string{"a", "b", "c"} {
			f.becomes(name, link.Idle)
		}
		f.from.Put("a", "1")
		f.after(5 * time.Second)
		since := f.status("a").Since
		kept, _ := f.group.Link("a")

		c = f.group.Apply([]link.Spec{f.specOf("a", "1"), f.specOf("b", "2"), f.specOf("d", "1")})
		f.same("started", c.Started, []string{"d"})
		f.same("restarted", c.Restarted, []string{"b"})
		f.same("stopped", c.Stopped, []string{"c"})
		f.same("kept", c.Kept, []string{"a"})
		for _, name := range []string{"a", "b", "d"} {
			f.becomes(name, link.Idle)
		}
		if l, _ := f.group.Link("a"); l != kept || f.status("a").Counts.Confirmed != 1 || f.status("a").Since.Before(since) {
			f.Error("a link that has not changed was touched")
		}
		if _, ok := f.group.Link("c"); ok {
			f.Error("a link that was taken out is still there")
		}
		var names []string
		for _, s := range f.group.Statuses() {
			names = append(names, s.Name)
		}
		f.same("the statuses", names, []string{"a", "b", "d"})
		f.from.Put("c", "1")
		f.after(time.Minute)
		if n := len(f.to.Bodies("c")); n != 0 {
			f.Error("a link that was taken out still moves messages")
		}
		if sources, _ := f.from.Opened(); sources != 5 {
			f.Errorf("%d sources were opened, want 5", sources)
		}
	})
}

// What the old link has in flight is delivered before the new one begins, so that the order is kept, also if the way of
// the new one is shorter.
func TestRestartDrainsTheOldLinkFirst(t *testing.T) {
	crew(t, func(f *fleet) {
		f.group.Apply([]link.Spec{f.specOf("q", "0")})
		for version := 1; version <= 5; version++ {
			f.to.Latency(800 * time.Millisecond)
			for i := range 600 {
				f.from.Put("q", number(600*(version-1)+i))
			}
			f.eventually("messages are in flight", func() bool { return f.status("q").InFlight > 20 })
			f.to.Latency(time.Millisecond)
			c := f.group.Apply([]link.Spec{f.specOf("q", fmt.Sprint(version))})
			f.same("restarted", c.Restarted, []string{"q"})
		}
		f.eventually("all have arrived", func() bool { return len(f.to.Bodies("q")) >= 3000 })
		f.same("what arrived", f.to.Bodies("q"), numbers(3000))
		if again := f.source.returned(); len(again) > 0 {
			f.Errorf("%d were given back", len(again))
		}
	})
}

// A link that is taken out and put back before it has drained is the same queue, too.
func TestPutBackWhileTheOldLinkStillDrains(t *testing.T) {
	crew(t, func(f *fleet) {
		spec := f.specOf("q", "1")
		f.group.Apply([]link.Spec{spec})
		for round := range 5 {
			f.to.Latency(800 * time.Millisecond)
			for i := range 400 {
				f.from.Put("q", number(400*round+i))
			}
			f.eventually("messages are in flight", func() bool { return f.status("q").InFlight > 20 })
			f.to.Latency(time.Millisecond)
			for range 3 {
				f.group.Apply(nil)
				f.group.Apply([]link.Spec{spec})
			}
		}
		f.eventually("all have arrived", func() bool { return len(f.to.Bodies("q")) >= 2000 })
		f.same("what arrived", f.to.Bodies("q"), numbers(2000))
	})
}

func TestRestartKeepsAnOperatorsPause(t *testing.T) {
	crew(t, func(f *fleet) {
		f.group.Apply([]link.Spec{f.specOf("by-hand", "1"), f.specOf("itself", "1")})
		f.becomes("by-hand", link.Idle)
		l, _ := f.group.Link("by-hand")
		l.Pause("until Monday")
		f.becomes("by-hand", link.Paused)

		f.to.Refuse(func(*broker.Message) error { return broker.ErrTooLarge })
		f.from.Put("itself", "x")
		f.becomes("itself", link.Paused)
		f.to.Refuse(nil)

		f.from.Put("by-hand", "x")
		f.group.Apply([]link.Spec{f.specOf("by-hand", "2"), f.specOf("itself", "2")})
		f.becomes("itself", link.Idle) // what made it pause may be what was changed
		f.after(time.Minute)
		f.becomes("by-hand", link.Paused)
		f.contains("the reason", f.status("by-hand").Reason, "until Monday")
		if n := len(f.from.Bodies("by-hand")); n != 1 {
			f.Error("a paused link has consumed")
		}
	})
}

// Drained waits for those that were replaced or stopped, and for no others.
func TestDrainedWaitsForWhatWasReplaced(t *testing.T) {
	crew(t, func(f *fleet) {
		f.to.Latency(3 * time.Second)
		f.group.Apply([]link.Spec{f.specOf("a", "1"), f.specOf("b", "1")})
		began := time.Now()
		f.group.Drained()
		if took := time.Since(began); took > 0 {
			f.Errorf("it waited %v for nothing", took)
		}
		f.from.Put("a", "x")
		f.after(time.Second)
		f.group.Apply([]link.Spec{f.specOf("a", "2")})
		began = time.Now()
		f.group.Drained()
		if took := time.Since(began); took != 2*time.Second {
			f.Errorf("it waited %v, want until the message was confirmed", took)
		}
		f.same("what arrived", f.to.Bodies("a"), []string{"x"})
	})
}

func TestGroupEndsWithItsContext(t *testing.T) {
	crew(t, func(f *fleet) {
		f.to.Latency(time.Second)
		f.group.Apply([]link.Spec{f.specOf("a", "1")})
		f.from.Put("a", "x")
		f.after(100 * time.Millisecond)
		f.end()
		f.group.Wait()
		f.same("what arrived", f.to.Bodies("a"), []string{"x"})
		if s := f.status("a"); s.State != link.Stopped {
			f.Errorf("state %s", s.State)
		}
	})
}
