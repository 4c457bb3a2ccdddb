package link

import (
	"sync/atomic"
	"time"
)

// Bounds of the buckets, in seconds: of what takes a round trip, and of what may wait for hours.
var (
	tripBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	waitBounds = []float64{.01, .025, .05, .1, .25, .5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600}
)

const mostBounds = 15

// Histogram is a snapshot of how long something took.
type Histogram struct {
	// Bounds are the upper bounds of the buckets, in seconds. It is shared: do not change it.
	Bounds []float64
	// Counts are by bucket, not cumulative; the last one is of what took longer than all bounds.
	Counts []int64
	// Sum is of all, in seconds.
	Sum float64
}

// histogram is what a pump writes: one goroutine observes, any may read.
type histogram struct {
	bounds []float64
	limits [mostBounds]time.Duration
	counts [mostBounds + 1]atomic.Int64
	sum    atomic.Int64 // nanoseconds
}

func (h *histogram) init(bounds []float64) {
	h.bounds = bounds
	for i, b := range bounds {
		h.limits[i] = time.Duration(b * float64(time.Second))
	}
}

func (h *histogram) observe(d time.Duration) {
	low, high := 0, len(h.bounds)
	for low < high {
		mid := (low + high) / 2
		if d <= h.limits[mid] {
			high = mid
		} else {
			low = mid + 1
		}
	}
	h.counts[low].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) read() Histogram {
	s := Histogram{Bounds: h.bounds, Counts: make([]int64, len(h.bounds)+1), Sum: time.Duration(h.sum.Load()).Seconds()}
	for i := range s.Counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}
