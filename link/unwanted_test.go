package link_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"weir/broker"
	"weir/link"
)

// unwanted has the destination settle so each third message, without sending it.
func (r *rig) unwanted(answer error) {
	r.spec.Destination = destination{Destination: r.spec.Destination, wrap: func(s broker.Sink, _ broker.SinkOptions) broker.Sink {
		return sender{s, func(s broker.Sink, ctx context.Context, m *broker.Message) (broker.Confirm, error) {
			if string(m.Body[5:]) > "6" { // 7, 8 and 9
				settled := &broker.Answer{}
				settled.Settle(answer)
				return settled, nil
			}
			return s.Send(ctx, m)
		}}
	}}
}

// wanted are the first n messages but those that unwanted keeps.
func wanted(n int) []string {
	return slices.DeleteFunc(numbers(n), func(s string) bool { return s[5:] > "6" })
}

// What nobody wants, or is dropped at its first refusal, goes its way among the others: in the order of acks, in full
// flow, and without a fault.
func TestMessageThatIsOverHoldsUpNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		counts link.Counts
	}{
		"unwanted":   {broker.ErrUnwanted, link.Counts{Filtered: 3000}},
		"unroutable": {refusals["unroutable"], link.Counts{Unroutable: 3000, Dropped: 3000}},
		"refused":    {refusals["refused"], link.Counts{Refused: 3000, Dropped: 3000}},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(r *rig) {
				r.spec.OnRefused = link.Recourse{Attempts: 1, Then: link.Drop}
				r.spec.OnUnroutable = link.Recourse{Attempts: 1, Then: link.Drop}
				r.spec.Window = 100
				r.to.Latency(20 * time.Millisecond)
				r.unwanted(c.answer)
				r.put(10_000)
				r.start()
				// 7 of 10 take a round trip, 100 at a time: 2 s at least.
				r.until(5*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
				r.same("what arrived", r.out(), wanted(10_000))
				if r.source.settled > 0 || r.source.acks > 3000 {
					r.Errorf("%d acks, and %d messages settled alone", r.source.acks, r.source.settled)
				}
				got := r.link.Status().Counts
				c.counts.Received, c.counts.Confirmed, c.counts.BytesConfirmed = 10_000, 7000, 42_000
				if got != c.counts {
					r.Errorf("counts %+v, want %+v", got, c.counts)
				}
				if s := r.link.Status(); s.LastError != "" || s.Held != 0 {
					r.Errorf("status %+v", s)
				}
			})
		})
	}
}

// A source of which nothing is wanted is emptied as any other, and the link is idle then.
func TestNothingIsWanted(t *testing.T) {
	play(t, func(r *rig) {
		r.unwanted(broker.ErrUnwanted)
		for range 500 {
			r.from.Put("in", "000007")
		}
		r.start()
		r.until(time.Second, "the source is empty", func() bool { return r.remain() == 0 })
		r.reaches(5*time.Second, link.Idle)
		if n := len(r.out()); n != 0 {
			r.Errorf("%d arrived", n)
		}
	})
}

// What is unwanted behind a message that must wait is acked alone: a cumulative ack would settle that one too.
func TestUnwantedBehindARefusedMessage(t *testing.T) {
	play(t, func(r *rig) {
		r.spec.Window = 20
		r.to.Latency(10 * time.Millisecond)
		lift := r.refuses(refusals["refused"], 3)
		r.unwanted(broker.ErrUnwanted)
		r.put(20)
		r.start()
		r.reaches(time.Second, link.Retrying)
		r.until(time.Second, "only the refused one is left", func() bool { return r.remain() == 1 })
		lift()
		r.until(10*time.Second, "the source is empty", func() bool { return r.remain() == 0 })
		got := r.out()
		slices.Sort(got)
		r.same("what arrived", got, wanted(20))
	})
}
