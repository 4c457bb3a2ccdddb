package link_test

import (
	"fmt"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

func TestSteadyFlowKeepsOrderAndAcksInBatches(t *testing.T) {
	play(t, func(r *rig) {
		const n = 10_000
		r.to.Latency(2 * time.Millisecond)
		r.put(n)
		r.start()
		r.arrived(time.Minute, n)
		r.after(time.Second)
		r.exactly(n)
		r.empty()
		if r.source.acks > n/4 || r.source.settled > 0 {
			r.Errorf("%d messages took %d acks of batches and %d of single ones", n, r.source.acks, r.source.settled)
		}
		if again := r.source.returned(); len(again) > 0 {
			r.Errorf("%d messages were given back", len(again))
		}
	})
}

func TestAckFollowsTheConfirmAtOnceWhenIdle(t *testing.T) {
	play(t, func(r *rig) {
		r.to.Latency(30 * time.Millisecond)
		r.start()
		for range 3 {
			r.reaches(5*time.Second, link.Idle)
			r.put(1)
			r.after(30 * time.Millisecond)
			r.empty()
			r.after(5 * time.Second)
		}
		r.exactly(3)
	})
}

// What is confirmed is acked soon, even if the next confirm is a long time coming.
func TestAckDoesNotWaitForTheNextConfirm(t *testing.T) {
	play(t, func(r *rig) {
		r.start()
		r.reaches(5*time.Second, link.Idle)
		r.to.Latency(10 * time.Millisecond)
		r.put(1)
		r.after(time.Millisecond)
		r.to.Latency(time.Minute)
		r.put(1)
		r.after(20 * time.Millisecond)
		if n := r.unacked(); n != 1 {
			r.Errorf("%d unacked, want only the one that is not confirmed", n)
		}
	})
}

// A window is acked in parts, so that there is room again before all of it is settled.
func TestWindowIsAckedInParts(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 80
		r.to.HoldConfirms()
		r.put(80)
		r.start()
		r.arrived(time.Second, 80)
		r.to.ReleaseConfirms()
		r.after(10 * time.Millisecond)
		if r.source.acks < 8 || r.source.acks > 16 {
			r.Errorf("%d acks", r.source.acks)
		}
		r.empty()
	})
}

func TestNothingIsAckedBeforeItIsConfirmed(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 50
		r.to.HoldConfirms()
		r.put(20)
		r.start()
		r.during(10*time.Second, "all are unacked", func() bool { return r.unacked() == 20 || r.state() == link.Starting })
		r.to.ReleaseConfirms()
		r.after(10 * time.Millisecond)
		r.exactly(20)
		r.empty()
	})
}

func TestWindowBoundsWhatIsUnsettled(t *testing.T) {
	for _, window := range []int{1, 7, 100} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.Window = window
				r.to.Latency(10 * time.Millisecond)
				r.put(1000)
				r.start()
				r.arrived(time.Minute, 1000)
				r.exactly(1000)
				if r.source.mostOut != window {
					r.Errorf("up to %d were unsettled, want %d", r.source.mostOut, window)
				}
			})
		})
	}
}

func TestRateLimitIsKept(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.RateLimit = 100
		r.put(5000)
		r.start()
		r.after(10 * time.Second)
		if n := len(r.out()); n < 990 || n > 1020 {
			r.Errorf("%d messages in 10 s at 100/s", n)
		}
		if n := r.unacked(); n > 200 {
			r.Errorf("%d were taken from the queue, want no more than two seconds' worth", n)
		}
		if r.state() != link.Running {
			r.Errorf("state %s while the limit is kept", r.state())
		}
		r.stop()
		r.exactly(len(r.out()))
		if n := r.unacked() + len(r.from.Bodies("in")) + len(r.out()); n != 5000 {
			r.Errorf("%d messages in all, want 5000", n)
		}
	})
}

func TestLinkThatWaitsForItsRateLimitIsRunning(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.RateLimit = 0.1
		r.put(20)
		r.start()
		r.reaches(5*time.Second, link.Running)
		r.during(time.Minute, "it is running", func() bool { return r.state() == link.Running })
	})
}

// Also what is sent again is limited.
func TestRateLimitIsKeptAfterALostSink(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.RateLimit = 100
		r.put(5000)
		r.start()
		for range 10 {
			r.after(time.Second)
			r.to.Cut()
		}
		if n := len(r.out()); n > 1100 {
			r.Errorf("%d messages in 10 s at 100/s", n)
		}
	})
}

func TestOnPublishAcksWithoutAConfirm(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.AckMode = link.OnPublish
		r.to.HoldConfirms()
		r.put(100)
		r.start()
		r.arrived(time.Second, 100)
		r.empty()
		r.exactly(100)
		r.contains("the warning", r.link.Status().Warning, "on-publish may lose messages")
	})
}

func TestNoAckLetsGoOnReceipt(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.AckMode = link.NoAck
		r.spec.Window = 10
		r.to.Block("memory alarm")
		r.put(30)
		r.start()
		r.after(time.Second)
		if left := len(r.from.Bodies("in")) + r.unacked(); left != 29 {
			r.Errorf("the source has %d left, want all but the one received", left)
		}
		if n := r.unacked(); n > 10 {
			r.Errorf("%d unacked, want no more than the window", n)
		}
		r.to.Unblock()
		r.arrived(5*time.Second, 30)
		r.exactly(30)
		r.empty()
		r.contains("the warning", r.link.Status().Warning, "no-ack may lose messages")
	})
}

// Each message is acked once, also when it has to be sent twice: a second ack is an error that ends the session.
func TestNoAckSurvivesALostSink(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.AckMode = link.NoAck
		r.start()
		r.reaches(5*time.Second, link.Idle)
		for range 5 {
			r.to.Block("wait")
			r.put(10)
			r.after(10 * time.Millisecond)
			r.to.Cut()
			r.to.Unblock()
			r.after(5 * time.Second)
		}
		r.complete(50, 0)
		if sources, _ := r.from.Opened(); sources != 1 {
			r.Errorf("the source was opened %d times", sources)
		}
	})
}

func TestBodiesAndPropertiesCrossUnchanged(t *testing.T) {
	play(t, func(r *rig) {
		m := &broker.Message{
			RoutingKey: "in", Body: []byte{0, 1, 0xff},
			Headers:    broker.Table{"n": int16(7), "nested": broker.Table{"a": broker.Array{"x", nil}}},
			Properties: broker.Properties{MessageID: "id", Priority: 3, Expiration: "60000", UserID: "guest"},
		}
		if err := r.from.Publish(m); err != nil {
			r.Fatal(err)
		}
		r.start()
		r.arrived(time.Second, 1)
		got := r.to.Messages("out")[0]
		if string(got.Body) != string(m.Body) || fmt.Sprint(got.Headers) != fmt.Sprint(m.Headers) || got.Properties != m.Properties {
			r.Errorf("got %+v, want %+v", got, m)
		}
	})
}
