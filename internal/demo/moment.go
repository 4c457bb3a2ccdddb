package demo

import (
	"context"
	"time"

	"weir/broker"
	"weir/link"
)

// Moment is all that is shown of a demo at one time.
type Moment struct {
	Elapsed, For time.Duration // For 0: until somebody ends it
	Produced     int
	Regions      []Region
	// Federated is of how many orders eu has heard that they were shipped elsewhere.
	Federated int
	// Overflow is the shovel between them.
	Overflow link.Status
	// Events are all that has happened, oldest first.
	Events []Event

	missing int
}

// Region is a queue and its consumer.
type Region struct {
	Name     string
	Ready    broker.Count
	Consumed int
	// PerSecond is how fast it consumes.
	PerSecond float64
	// Low and High are the thresholds of the queue, where it has any: overflow shuts and opens there, or there is room
	// again and none any more.
	Low, High int64
}

// look takes in all that is to be shown.
func (d *demo) look() Moment {
	now := time.Since(d.story.began)
	m := Moment{Elapsed: now, For: d.For}
	m.Overflow, _ = d.gateway.Link(shovel) // it is always there
	d.story.follow(m.Overflow)
	m.Events = d.story.events
	produced, missing, consumed, told := d.ledger.counts()
	m.Produced, m.missing, m.Federated = produced, missing, federated(told)
	perSecond := d.paces.measure(now, consumed)
	for _, r := range d.regions {
		low, high := d.thresholds(r.name)
		m.Regions = append(m.Regions, Region{
			Name: r.name, Ready: r.ready(d.living), Consumed: consumed[r.name], PerSecond: perSecond[r.name], Low: low, High: high,
		})
	}
	return m
}

// atRest tells whether every order is consumed, eu has heard of each, and weir has nothing to do any more.
func (m Moment) atRest() bool {
	for _, r := range m.Regions {
		if !r.Ready.Known || r.Ready.N > 0 {
			return false
		}
	}
	return m.missing == 0 && !m.Overflow.Overflow.Open && m.Overflow.InFlight == 0
}

// thresholds are what weir.yaml says about a region's queue.
func (d *demo) thresholds(region string) (low, high int64) {
	s := d.cfg.Shovels[shovel]
	if region == s.Source.Broker {
		return s.Overflow.MessagesReady.Stop, s.Overflow.MessagesReady.Start
	}
	for _, to := range s.Destinations {
		if to.Broker == region && to.Room != nil {
			return to.Room.MessagesReady.Resume, to.Room.MessagesReady.Stop
		}
	}
	return 0, 0
}

// ready is how many orders wait; unknown if the broker would not tell.
func (r *region) ready(ctx context.Context) broker.Count {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	depth, err := r.broker.Depth(ctx, orders)
	if err != nil {
		return broker.Count{}
	}
	return depth.Ready
}

// paces measure how fast each region consumes, over about a second.
type paces struct {
	at       time.Duration
	consumed map[string]int
	now      map[string]float64
}

func (p *paces) measure(now time.Duration, consumed map[string]int) map[string]float64 {
	if passed := now - p.at; passed >= time.Second {
		perSecond := map[string]float64{}
		for region, n := range consumed {
			perSecond[region] = float64(n-p.consumed[region]) / passed.Seconds()
		}
		p.at, p.consumed, p.now = now, consumed, perSecond
	}
	return p.now
}
