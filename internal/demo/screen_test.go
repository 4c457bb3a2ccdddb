package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"weir/broker"
	"weir/link"
)

const picture = `
  weir demo: 7s of 20s
  Orders overrun eu: weir moves what is too much to us, to ap while us is full.
  us and ap tell what they have shipped: weir lets eu hear of it.

  ┌────────┬──────────┬───────┬──────────────────────────┬──────────┬──────────┐
  │ region │ produced │ ready │ queue (┊ thresholds)     │ consumed │ a second │
  ├────────┼──────────┼───────┼──────────────────────────┼──────────┼──────────┤
  │ eu     │    4,905 │ 2,566 │ █┊██████████┊███████     │      705 │      100 │
  │ us     │          │ 1,012 │ ███┊████┊                │      455 │      150 │
  │ ap     │          │     ? │                          │       98 │      490 │
  └────────┴──────────┴───────┴──────────────────────────┴──────────┴──────────┘

  overflow open: to ap; moved 1,601, 36 in flight
  federation: eu has heard of 1,538 orders shipped in us and ap

    0.0s    a burst
    4.0s >> overflow opens
`

// moment is one in which all is to be seen.
func moment() Moment {
	return Moment{
		Elapsed: 7100 * time.Millisecond, For: 20 * time.Second, Produced: 4905, Federated: 1538,
		Regions: []Region{
			{Name: "eu", Ready: broker.Counted(2566), Consumed: 705, PerSecond: 100, Low: 200, High: 1500},
			{Name: "us", Ready: broker.Counted(1012), Consumed: 455, PerSecond: 150.4, Low: 400, High: 1000},
			{Name: "ap", Consumed: 98, PerSecond: 490},
		},
		Overflow: link.Status{
			Route: "ap queue=orders (passed over: us queue=orders: no room)", InFlight: 36, Counts: link.Counts{Confirmed: 1601},
			Overflow: &link.OverflowStatus{Open: true},
		},
		Events: []Event{{Text: "a burst"}, {At: 4 * time.Second, ByWeir: true, Text: "overflow opens"}},
	}
}

func TestPicture(t *testing.T) {
	got := strings.Join(draw(moment()), "\n")
	if got = text.StripEscape(got); got != picture {
		t.Errorf("got:%s\nwant:%s", got, picture)
	}
}

// Ensure a link that still drains, and so has no reason to be shut yet, looks right.
func TestShutWithoutReason(t *testing.T) {
	m := moment()
	m.Overflow.Overflow = &link.OverflowStatus{}
	if got, want := overflowLine(m), "overflow shut; moved 1,601, 36 in flight"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure the picture is drawn over the one before, whatever their heights, and no line wraps.
func TestScreen(t *testing.T) {
	var out strings.Builder
	show := Screen(&out, func() int { return 40 })
	m := moment()
	show(m)
	out.Reset()
	m.Events = m.Events[:1]
	show(m)
	got := out.String()
	if up := "\x1b[19A"; !strings.HasPrefix(got, up) {
		t.Errorf("%q does not begin with %q, which is where the picture began", got, up)
	}
	if !strings.HasSuffix(got, "\x1b[J") {
		t.Errorf("what the taller picture had below was not wiped out: %q", got)
	}
	for line := range strings.Lines(got) {
		if n := text.StringWidthWithoutEscSequences(strings.TrimSpace(line)); n > 40 {
			t.Errorf("a line of %d characters on a screen of 40: %q", n, line)
		}
	}
}
