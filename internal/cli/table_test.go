package cli

import (
	"strings"
	"testing"
	"time"

	"weir/federation"
	"weir/link"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestTableTellsWhatIsWrongAndWhatHappensNext(t *testing.T) {
	links := []link.Status{
		{
			Name: "down", Kind: link.Shovel, State: link.Retrying, Since: now.Add(-192 * time.Second),
			Source: "eu queue=a", Destination: "us queue=b", Reason: "connection refused", NextTry: now.Add(4 * time.Second),
		},
		{
			Name: "fast", Kind: link.Overflow, State: link.Running, Since: now.Add(-26 * time.Hour),
			Source: "eu queue=orders", Destination: "us queue=orders", InFlight: 1234,
			Counts: link.Counts{Confirmed: 12873}, NextTry: now.Add(-time.Second),
		},
	}
	want := `
LINK  KIND      STATE     FROM             TO               IN-FLIGHT  CONFIRMED  SINCE  REASON
down  shovel    retrying  eu queue=a       us queue=b               0          0  3m12s  connection refused; next try in 4s
fast  overflow  running   eu queue=orders  us queue=orders      1,234     12,873   1d2h
`
	if got := "\n" + linkTable(links, false, false, now) + "\n"; got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
}

// What docs/federation.md and docs/shovels.md say that status shows of one link is there.
func TestDetailsOfFederation(t *testing.T) {
	three, five, seven, oldest := 3, int64(5), int64(1007), 12.3
	exchange := link.Status{
		Name: "us/exchanges/catalog", Kind: link.Federation, State: link.Idle, Since: now.Add(-time.Minute),
		Source: "us queue=x", Destination: "eu exchange=catalog", AckMode: link.OnConfirm, Window: 64,
		Counts: link.Counts{Received: 9, Filtered: 2, Confirmed: 7},
		Depth: &link.SourceDepth{
			At: now.Add(-3 * time.Second), Reading: link.Reading{Ready: &seven, Unacked: &five, OldestMin: &oldest},
		},
		Federation: &link.FederationStatus{
			Policy: "catalog", Upstream: "us", Buffer: "weir: catalog -> eu///catalog", Bindings: &three,
			EqualAt: now.Add(-2 * time.Minute), NoticedBy: "at once",
		},
	}
	want := `
link       us/exchanges/catalog
kind       federation
state      idle for 1m0s
from       us queue=x
to         eu exchange=catalog
ack-mode   on-confirm
at source  1,007 ready, 5 unacked, the oldest for 12.3s at least, 3s ago
in flight  0 of a window of 64, 0 held
received   9
confirmed  7 (0 B)
filtered   2
policy     catalog
upstream   us
buffer     weir: catalog -> eu///catalog
bindings   3, equal for 2m0s, changes noticed at once
`
	if got := "\n" + linkDetails(exchange, false, now) + "\n"; got != want {
		t.Errorf("got:%s\nwant:%s", got, want)
	}
	queue := link.Status{Federation: &link.FederationStatus{Policy: "work", Upstream: "us", Batch: &three, Stranded: &five}}
	if got := linkDetails(queue, false, now); !strings.Contains(got, "\nbatch      3, 5 stranded") || strings.Contains(got, "bindings") {
		t.Errorf("got:\n%s", got)
	}
}

// What a broker does not tell is not left blank.
func TestSourceDepthInWords(t *testing.T) {
	if got, want := sourceDepth(link.SourceDepth{At: now.Add(-3 * time.Second)}, now), "not known, 3s ago"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProblemTellsSinceWhenAndWhatHappensNext(t *testing.T) {
	p := federation.Problem{Policy: "catalog", Broker: "eu", Text: "connection refused", Since: now.Add(-192 * time.Second), NextTry: now.Add(7 * time.Second)}
	if got, want := problemLine(p, now), "policy catalog: broker eu: connection refused; for 3m12s; next try in 7s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.NextTry = time.Time{}
	if got, want := problemLine(p, now), "policy catalog: broker eu: connection refused; for 3m12s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHeartbeatInWords(t *testing.T) {
	lag := 0.0123
	for want, h := range map[string]link.HeartbeatStatus{
		"every 10s": {Every: 10},
		"every 10s, the last took 12.3ms, back 3s ago": {Every: 10, Seconds: &lag, LastAt: now.Add(-3 * time.Second)},
		"every 1m0s, 2 missed; not sent: no":           {Every: 60, Missed: 2, Problem: "not sent: no"},
	} {
		if got := heartbeat(h, now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A small screen says that there is more.
func TestTopFitsTheScreen(t *testing.T) {
	lines := []string{"verdict", "", "LINK", "a", "b", "c"}
	for height, want := range map[int]string{
		8: "verdict//LINK/a/b/c//sort: ",
		7: "verdict//LINK/a/b//1 more below    sort: ",
		5: "verdict//LINK//3 more below    sort: ",
		1: "6 more below    sort: ",
	} {
		if got := strings.Join(fitting(lines, height), "/"); !strings.HasPrefix(got, want) {
			t.Errorf("%d lines: got %q, want %q", height, got, want)
		}
	}
}

// What brokers say goes to a terminal. It must not steer it, and a row stays a row.
func TestNothingSteersTheTerminal(t *testing.T) {
	hostile := "\x1b]0;gotcha\a\x1b[2J\rfirst\nsecond\u009b31m"
	l := link.Status{
		Name: hostile, State: link.Retrying, Reason: hostile, Source: hostile, Destination: hostile, Route: hostile,
		Warning: hostile, LastError: hostile,
		Heartbeat: &link.HeartbeatStatus{Problem: hostile},
		Federation: &link.FederationStatus{
			Policy: hostile, Upstream: hostile, Buffer: hostile, Bindings: new(int), NoticedBy: hostile, Problem: hostile,
		},
		Overflow: &link.OverflowStatus{Thresholds: hostile, Decisions: []link.Decision{{Why: hostile, Destination: hostile, PassedOver: []string{hostile}}}},
	}
	for what, text := range map[string]string{
		"table":   linkTable([]link.Status{l}, true, false, now),
		"details": linkDetails(l, false, now),
	} {
		if strings.ContainsAny(text, "\x1b\a\r\u009b") {
			t.Errorf("the %s holds control characters: %q", what, text)
		}
	}
	if rows := strings.Count(linkTable([]link.Status{l}, true, false, now), "\n"); rows != 1 {
		t.Errorf("a header and a row have %d line breaks, want 1", rows)
	}
}
