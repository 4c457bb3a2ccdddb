package telemetry_test

import (
	"fmt"
	"testing"
	"time"

	"weir/broker"
	"weir/configs"
	"weir/link"

	"weir/internal/telemetry"
)

// A followed message is found by its id and by its trace, with or without a collector.
func TestHopsAreFound(t *testing.T) {
	for _, propagation := range []configs.Propagation{configs.PropagateUpdate, configs.PropagateOff} {
		t.Run(string(propagation), func(t *testing.T) {
			play(t, 0, propagation, func(r *rig) {
				r.put(r.eu, &broker.Message{Headers: broker.Table{"traceparent": traced}, Properties: broker.Properties{MessageID: "o-1"}})
				r.after(2 * time.Second)
				r.us.Latency(100 * time.Millisecond)
				r.run(r.has(r.us, 1), r.link("first", r.eu, r.us))
				r.run(r.has(r.ap, 1), r.link("second", r.us, r.ap))

				for _, id := range []string{"o-1", traceID, "69964A11E210DED645845853A8DF0CD4"} {
					hops := r.telemetry.Find(id)
					if len(hops) != 2 || hops[0].Link != "first" || hops[1].Link != "second" {
						t.Fatalf("%s: hops are %+v, want the first and the second", id, hops)
					}
				}
				h := r.telemetry.Find("o-1")[0]
				if h.Source != "eu queue=orders" || h.Destination != "us queue=orders" || h.Attempts != 1 || h.Outcome != "forwarded" ||
					h.WaitSeconds == nil || *h.WaitSeconds != 2 || h.ConfirmSeconds < .1 || h.ConfirmSeconds > .2 {
					t.Errorf("the first is %+v", h)
				}
				if newest := r.telemetry.Recent(1); len(newest) != 1 || newest[0].Link != "second" {
					t.Errorf("the newest is %+v, want the second", newest)
				}
				if n := len(r.telemetry.Find("")) + len(r.telemetry.Find("o-2")); n != 0 {
					t.Errorf("found %d hops of no message", n)
				}
			})
		})
	}
}

// However many messages cross, so many hops are kept: the newest.
func TestHopsAreBounded(t *testing.T) {
	observe, tele := follower(t)
	const beyond = 100
	for i := range telemetry.RecentKept + beyond {
		m := &broker.Message{Properties: broker.Properties{MessageID: fmt.Sprint(i)}}
		hop := observe(m, "")
		hop.Sending(m)
		hop.Answered(nil)
		hop.Ended(link.Forwarded)
	}
	all := tele.Recent(2 * telemetry.RecentKept)
	if len(all) != telemetry.RecentKept {
		t.Fatalf("%d hops are kept, want %d", len(all), telemetry.RecentKept)
	}
	if newest, oldest := all[0].MessageID, all[len(all)-1].MessageID; newest != fmt.Sprint(telemetry.RecentKept+beyond-1) || oldest != fmt.Sprint(beyond) {
		t.Errorf("kept are %s down to %s", newest, oldest)
	}
}

// follower follows every message, without a collector.
func follower(t *testing.T) (link.Observe, *telemetry.Telemetry) {
	t.Helper()
	cfg := &configs.Config{}
	cfg.Telemetry.Traces.Ratio = 1
	tele, err := telemetry.New(t.Context(), cfg, telemetry.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return tele.Observe(cfg, link.Spec{Name: "orders", Destination: link.To{}}), tele
}
