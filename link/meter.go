package link

import (
	"sync/atomic"
	"time"
)

// meter adds up what forward and settle see, for the window to be reckoned from.
type meter struct {
	answered, latency atomic.Int64 // how many, and how long that took in all, in nanoseconds
	received, bytes   atomic.Int64
	size              float64 // watch's own: the last mean size
}

func (m *meter) receive(bytes int) {
	m.received.Add(1)
	m.bytes.Add(int64(bytes))
}

func (m *meter) answer(latency time.Duration) {
	m.answered.Add(1)
	m.latency.Add(int64(latency))
}

// take returns how many were answered since the last call and how long that took on average, and the mean size of what
// was received: 0 before the first, and that of before if nothing was.
func (m *meter) take() (n int64, latency time.Duration, size float64) {
	n, total := m.answered.Swap(0), m.latency.Swap(0)
	if received, bytes := m.received.Swap(0), m.bytes.Swap(0); received > 0 {
		m.size = float64(bytes) / float64(received)
	}
	return n, time.Duration(total / max(n, 1)), m.size
}
