package link

import (
	"time"

	"weir/broker"
)

// Switch is the part of a Gate that decides by thresholds and obeys a hand.
type Switch interface {
	// Override sets the mode: "on", "off" or "auto".
	Override(mode Mode)
	// Overflow is what it shows of itself.
	Overflow() OverflowStatus
}

// Mode says who decides: the thresholds, or a hand.
type Mode string

// The modes of a Switch.
const (
	Auto Mode = "auto"
	On   Mode = "on"
	Off  Mode = "off"
)

// OverflowStatus is a snapshot of a Switch.
type OverflowStatus struct {
	Open       bool       `json:"open"`
	Mode       Mode       `json:"mode"`
	Since      time.Time  `json:"since"`
	Thresholds string     `json:"thresholds"`
	Depth      Reading    `json:"depth"`
	Switches   int64      `json:"switches"`
	Decisions  []Decision `json:"decisions,omitempty"` // the last ones, newest first
}

// Decision is one opening or shutting.
type Decision struct {
	At          time.Time `json:"at"`
	Open        bool      `json:"open"`
	Why         string    `json:"why"`
	Depth       Reading   `json:"depth"`
	Destination string    `json:"destination,omitempty"`
	PassedOver  []string  `json:"passed-over,omitempty"`
}

// Reading is a broker.Depth as shown: what is unknown is left out.
type Reading struct {
	Ready     *int64   `json:"ready,omitempty"`
	Unacked   *int64   `json:"unacked,omitempty"`
	Consumers *int64   `json:"consumers,omitempty"`
	OldestMin *float64 `json:"oldest-at-least-seconds,omitempty"`
	OldestMax *float64 `json:"oldest-at-most-seconds,omitempty"`
}

// Read makes a Reading of a Depth.
func Read(d broker.Depth) Reading {
	count := func(c broker.Count) *int64 {
		if !c.Known {
			return nil
		}
		return &c.N
	}
	seconds := func(a broker.Age) *float64 {
		if !a.Known {
			return nil
		}
		s := a.D.Seconds()
		return &s
	}
	return Reading{count(d.Ready), count(d.Unacked), count(d.Consumers), seconds(d.OldestAtLeast), seconds(d.OldestAtMost)}
}
