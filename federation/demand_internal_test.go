package federation

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/broker"
)

// Each story is told in readings, one a line: when it was made, messages ready and consumers (? is not known), whether the
// batch has come from the upstream ("full"), and has arrived, too ("spent"); behind the bar what came of it. A + grants the
// next batch. "busy" is until when the consumers have no time.
func TestDemand(t *testing.T) {
	for name, story := range map[string]string{
		"fast consumers: the batch doubles while it is used up, and stays what is enough": `
			0s     0/0         | shut: no consumers downstream
			1s     0/2         | open 2 +
			1.02s  0/2 spent   | open 4 +
			1.04s  0/2 spent   | open 8 +
			1.06s  0/2         | open 8 +
			1.08s  0/2 full    | open 16 +`,
		"a broker whose depth is read slowly: the first reading after a batch has come tells": `
			0s     0/2         | open 2 +
			600ms  0/2 spent   | open 4 +
			1.2s   0/2 spent   | open 8 +
			1.8s   3/2 spent   | open 8
			2.4s   0/2 spent   | open 8 +`,
		"a window that is full because confirms are slow: no larger than what is consumed promptly": `
			0s     0/2         | open 2 +
			50ms   0/2 full    | open 4 +
			240ms  0/2 full    | open 4 +`,
		"consumers that need a moment: the batch keeps its size": `
			0s     0/2         | open 2 +
			20ms   0/2 spent   | open 4 +
			100ms  3/2 spent   | open 4
			200ms  1/2 spent   | open 4
			260ms  0/2 spent   | open 4 +`,
		"slow consumers: the batch halves, not below one a consumer, and a gate shuts after a second": `
			0s     0/2         | open 2 +
			20ms   0/2 spent   | open 4 +
			40ms   0/2 spent   | open 8 +
			60ms   8/2 spent   | open 8
			300ms  7/2 spent   | open 8
			310ms  7/2 spent   | open 4
			500ms  6/2 spent   | open 4
			600ms  5/2 spent   | open 2
			900ms  4/2 spent   | open 2
			1.06s  4/2 spent   | shut: 4 ready downstream, 2 consumers
			2s     1/2         | shut: 1 ready downstream, 2 consumers
			3s     0/2         | open 2 +`,
		"what became ready elsewhere stops the flow, without making batches smaller": `
			0s     0/4         | open 4 +
			100ms  9/4         | open 4
			600ms  9/4         | open 4
			900ms  0/4         | open 4 +`,
		"consumers leave: nothing more comes, and the gate shuts after a second": `
			0s     0/3         | open 3 +
			100ms  0/0         | open 3
			500ms  3/0 spent   | open 3
			1.1s   3/0 spent   | shut: 3 ready downstream, no consumers
			9s     3/0         | shut: 3 ready downstream, no consumers`,
		"consumers that are away for a moment do not shut it": `
			0s     0/3         | open 3 +
			100ms  0/0         | open 3
			800ms  0/3         | open 3 +
			1.2s   0/0         | open 3
			1.9s   0/3         | open 3 +`,
		"more consumers: at least one message for each": `
			0s     0/1         | open 1 +
			1s     0/50        | open 50 +
			2s     0/3         | open 50 +`,
		"a depth that is not known opens nothing and grants nothing": `
			0s     ?/?         | shut: depth downstream is not known
			1s     0/?         | shut: depth downstream is not known
			2s     0/2         | open 2 +
			3s     ?/?         | open 2
			4s     0/?         | open 2
			5s     0/2         | open 2 +`,
		"whoever the consumers are, what is ready is enough": `
			0s     0/2         | open 2 +
			1s     3/?         | open 2
			2s     3/?         | shut: 3 ready downstream`,
		"a busy broker is not waited for for ever": `
			0s     0/2         | open 2 +
			1s     ?/?         | open 2
			10.9s  ?/?         | open 2
			11s    ?/?         | shut: depth downstream has not been known for 10s
			12s    ?/?         | shut: depth downstream is not known`,
		"a quorum queue under load says 0/0 now and then": `
			0s     0/2         | open 2 +
			200ms  ?/?         | open 2
			400ms  1/2 spent   | open 2
			600ms  ?/? spent   | open 2
			800ms  0/2 spent   | open 2 +`,
		"consumers without time for what comes from elsewhere are no demand": `
			0s     0/2 busy=1s | shut: 2 consumers downstream, but messages have left there for lack of free ones
			900ms  0/2         | shut: 2 consumers downstream, but messages have left there for lack of free ones
			1s     0/2         | open 2 +
			2s     0/2 busy=4s | open 2
			3s     0/2         | shut: 2 consumers downstream, but messages have left there for lack of free ones
			4s     0/2         | open 4 +`,
		"the size of a batch is forgotten with the consumers": `
			0s     0/2         | open 2 +
			100ms  0/2 spent   | open 4 +
			2s     0/2 busy=5s | open 4
			3s     0/2         | shut: 2 consumers downstream, but messages have left there for lack of free ones
			4s     0/0         | shut: no consumers downstream
			5s     0/2         | open 2 +`,
		"never more than allowed": `
			0s     0/900       | open 100 +
			20ms   0/900 spent | open 100 +`,
	} {
		t.Run(name, func(t *testing.T) {
			var told strings.Builder
			d := demand{most: 100}
			began := time.Unix(0, 0)
			busy, granted, batch := began, began, 0
			for line := range strings.Lines(strings.TrimPrefix(story, "\n")) {
				input, _, _ := strings.Cut(line, "|")
				words := strings.Fields(input)
				ready, consumers, _ := strings.Cut(words[1], "/")
				l := look{at: began.Add(duration(t, words[0])), depth: broker.Depth{Ready: count(ready), Consumers: count(consumers)}}
				for _, word := range words[2:] {
					if until, ok := strings.CutPrefix(word, "busy="); ok {
						busy = began.Add(duration(t, until))
					} else {
						l.spent = word == "spent"
						l.full = l.spent || word == "full"
					}
				}
				l.busy, l.batch, l.age = busy, batch, l.at.Sub(granted)
				consumed := d.judge(l)
				fmt.Fprintf(&told, "%s| ", input)
				if !d.open {
					fmt.Fprintf(&told, "shut: %s", d.why)
				} else {
					fmt.Fprintf(&told, "open %d", d.batch)
				}
				if consumed {
					granted, batch = l.at, d.batch
					told.WriteString(" +")
				}
				told.WriteByte('\n')
			}
			if got := strings.TrimSuffix(told.String(), "\n"); got != strings.TrimPrefix(story, "\n") {
				t.Errorf("the story goes otherwise:\n%s", got)
			}
		})
	}
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func count(s string) broker.Count {
	n, err := strconv.ParseInt(s, 10, 64)
	return broker.Count{N: n, Known: err == nil}
}

func TestReadingsAreSpaced(t *testing.T) {
	for _, c := range []struct {
		readers, open int64
		still, every  string
	}{
		{1, 1, "0s", "20ms"},
		{1, 1, "1s", "250ms"},
		{1, 0, "4s", "1s"},
		{1, 0, "24h", "1s"},
		{1000, 0, "24h", "10s"},
		{1000, 5, "0s", "20ms"},
		{1000, 100, "0s", "200ms"},
	} {
		r := &readers{}
		r.all.Store(c.readers)
		r.open.Store(c.open)
		if got := r.every(duration(t, c.still)).String(); got != c.every {
			t.Errorf("%d readers, %d of them open, nothing moved for %s: every %s, want %s", c.readers, c.open, c.still, got, c.every)
		}
	}
}

// The same message that visits a queue again and again has it count as busy for longer and longer.
func TestABusyQueue(t *testing.T) {
	p := place{"eu", "work"}
	now := time.Unix(1000, 0)
	for visits, want := range map[int64]time.Duration{
		0: time.Second / 2, 1: time.Second / 2, 2: time.Second, 6: 16 * time.Second, 7: 30 * time.Second, 1 << 40: 30 * time.Second,
	} {
		q := newQueues()
		q.noneFree(p, visits, now)
		if got := q.busyUntil(p).Sub(now); got != want {
			t.Errorf("%d visits: busy for %v, want %v", visits, got, want)
		}
	}
	q := newQueues()
	q.noneFree(p, 3, now)
	q.noneFree(p, 1, now.Add(time.Second))
	if got := q.busyUntil(p).Sub(now); got != 2*time.Second {
		t.Errorf("a first visit has shortened what a third one told: %v", got)
	}
}
