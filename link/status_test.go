package link_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// golden compares a snapshot with testdata/status/<name>.json, which the API, the page and scripts rely on.
func golden(r *rig, name string, s link.Status) {
	r.Helper()
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		r.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", "status", name+".json")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			r.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	if string(got) != string(want) {
		r.Errorf("%s is otherwise (-update accepts it):\n%s", file, got)
	}
}

func TestStatusOfANewLink(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.AckMode = link.NoAck
		golden(r, "new", link.New(r.spec, r.logger()).Status())
	})
}

func TestStatusOfARunningLink(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(900 * time.Millisecond)
		r.put(100)
		r.start()
		r.after(1500 * time.Millisecond)
		golden(r, "running", r.link.Status())
	})
}

func TestStatusOfAHoldingLink(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: time.Nanosecond, Max: time.Nanosecond}
		r.spec.Window = 5
		r.to.Block("x")
		r.put(100)
		r.start()
		r.after(1500 * time.Millisecond)
		r.to.Down(errAway)
		r.to.Cut()
		r.after(500 * time.Microsecond)
		golden(r, "holding", r.link.Status())
	})
}

func TestStatusOfADeniedLink(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Reconnect = link.Delays{Min: time.Second, Max: 30 * time.Second}
		r.from.Deny("in")
		r.start()
		r.after(45 * time.Second)
		golden(r, "denied", r.link.Status())
	})
}

// onOff is a gate with a Switch.
type onOff struct {
	*gate
	mode link.Mode
}

func (o *onOff) Override(mode link.Mode) { o.mode = mode; o.set(mode == link.On) }

func (o *onOff) Overflow() link.OverflowStatus {
	depth := link.Read(broker.Depth{Ready: broker.Counted(1204), OldestAtLeast: broker.Aged(1500 * time.Millisecond)})
	open, _ := o.now()
	return link.OverflowStatus{Open: open, Mode: o.mode, Since: time.Now(), Thresholds: "ready: 10000 to 2000", Depth: depth,
		Switches: 1, Decisions: []link.Decision{{At: time.Now(), Open: open, Why: "by hand", Depth: depth, Destination: "us",
			PassedOver: []string{"ap: full"}}}}
}

func TestStatusOfAnOverflowLink(t *testing.T) {
	play(t, func(r *rig) {
		o := &onOff{gate: newGate(false), mode: link.Auto}
		r.spec.Kind, r.spec.Gate, r.spec.Switch = link.Overflow, o, o
		r.start()
		r.reaches(time.Second, link.Shut)
		golden(r, "overflow", r.link.Status())
		if !r.link.Override(link.On) {
			r.Error("it cannot be overridden")
		}
		r.reaches(time.Second, link.Idle)
		r.link.Override(link.Off)
		r.reaches(time.Second, link.Shut)
	})
}

func TestOverrideNeedsASwitch(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		if r.link.Override(link.On) {
			r.Error("a link without a switch was overridden")
		}
	})
}

// An Idle link is idle and a Running one moves; each says since when.
func TestStateFollowsTheFlow(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		idle := r.reaches(5*time.Second, link.Idle)
		r.after(time.Hour)
		if again := r.link.Status(); !again.Since.Equal(idle.Since) {
			r.Errorf("idle since %v, then since %v", idle.Since, again.Since)
		}
		r.to.Latency(3 * time.Second)
		r.put(1)
		running := r.reaches(2*time.Second, link.Running)
		if running.InFlight != 1 || running.Counts.Received != 1 || running.Counts.Confirmed != 0 {
			r.Errorf("%+v", running)
		}
		r.reaches(5*time.Second, link.Idle)
	})
}
