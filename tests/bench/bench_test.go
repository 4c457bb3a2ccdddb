// Package bench measures weir beside what the brokers bring themselves, in turn and in one run, so that a noisy machine
// tells on both alike. Only ratios are worth comparing.
//
//	go test -run '^$' -bench . -benchtime 1x ./tests/bench
//
// Every benchmark moves Messages messages of 1 KiB once a round, JetStream's JetStreamMessages, weir and its peer in turn, and
// reports the medians.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/tests/lab"
)

// How much is moved. 100,000 messages of JetStream would be over in a second, before a window has grown.
const (
	Messages          = 100_000
	JetStreamMessages = 500_000
	Rounds            = 3
	bodySize          = 1024
)

// binary is weir, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary = filepath.Join(folder, "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "weir").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build weir: %v\n%s", err, out)
		return 1
	}
	return lab.Suite{M: m}.Run()
}

// result is one run of one mover.
type result struct {
	rate    float64 // messages a second, between a tenth and nine tenths of the way
	gateway float64 // its CPU, µs a message
	brokers float64 // theirs
}

// mover moves everything from a full queue to an empty one. It returns the process to charge (0: none of its own) and a
// function that stops it.
type mover func(b *testing.B) (pid int, stop func())

// stage is where movers are measured.
type stage struct {
	messages int                // how many are moved
	fill     func(b *testing.B) // makes the source full and the destination empty
	arrived  func() int         // how many are at the destination
	brokers  []int              // process ids
}

// measure runs one mover once.
func (s stage) measure(b *testing.B, move mover) result {
	b.Helper()
	s.fill(b)
	pid, stop := move(b)
	defer stop()
	s.await(b, s.messages/10)
	began, gateway, brokers := time.Now(), cpu(pid), cpu(s.brokers...)
	from := s.arrived()
	s.await(b, s.messages*9/10)
	n := float64(s.arrived() - from)
	r := result{
		rate:    n / time.Since(began).Seconds(),
		gateway: (cpu(pid) - gateway).Seconds() * 1e6 / n,
		brokers: (cpu(s.brokers...) - brokers).Seconds() * 1e6 / n,
	}
	s.await(b, s.messages)
	return r
}

func (s stage) await(b *testing.B, n int) {
	b.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for s.arrived() < n {
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("only %d of %d arrived within 5 minutes", s.arrived(), n)
		}
	}
}

// compare measures two movers on one stage.
func (s stage) compare(b *testing.B, peerName string, weir, peer mover) {
	b.Helper()
	compare(b, peerName, func() result { return s.measure(b, weir) }, func() result { return s.measure(b, peer) })
}

// compare measures weir and its peer in turn and reports medians.
func compare(b *testing.B, peerName string, weir, peer func() result) {
	b.Helper()
	var ours, theirs []result
	for range Rounds {
		ours = append(ours, weir())
		theirs = append(theirs, peer())
	}
	rate := func(r result) float64 { return r.rate }
	us, them := median(ours, rate), median(theirs, rate)
	b.ReportMetric(us, "weir-msg/s")
	b.ReportMetric(them, peerName+"-msg/s")
	b.ReportMetric(us/them, "ratio")
	b.ReportMetric(median(ours, func(r result) float64 { return r.gateway }), "weir-µs/msg")
	b.ReportMetric(median(ours, func(r result) float64 { return r.brokers }), "brokers-µs/msg")
	b.ReportMetric(median(theirs, func(r result) float64 { return r.brokers }), peerName+"-brokers-µs/msg")
	b.ReportMetric(0, "ns/op")
	b.Logf("weir %v\n%s %v", ours, peerName, theirs)
}

func median(all []result, of func(result) float64) float64 {
	figures := make([]float64, len(all))
	for i, r := range all {
		figures[i] = of(r)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
