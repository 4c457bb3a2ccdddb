package demo

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// The pace of the applications, in orders a second. In a burst eu gets seven times what its consumer can do, and weir may
// take five times as much (rate-limit in weir.yaml), so that the queue stays over its threshold until the burst is over.
const (
	burstPace = 700
	calmPace  = 50
	euPace    = 100
	usPace    = 150
	apPace    = 600
)

// A burst fills eu, then us; the calm after it is long enough for eu to recover.
const (
	burst = 9 * time.Second
	calm  = 9 * time.Second
)

// script is how fast everybody works, and when.
type script struct {
	length    time.Duration // 0: without an end
	producer  *rate.Limiter
	consumers map[string]*rate.Limiter
}

func newScript(length time.Duration) *script {
	return &script{
		length:   length,
		producer: pace(calmPace),
		consumers: map[string]*rate.Limiter{
			"eu": pace(euPace),
			"us": pace(usPace),
			"ap": pace(apPace),
		},
	}
}

// catchUp is how many orders an application may do at once after it was late: the timers of a busy machine are.
const catchUp = 100

// pace lets so many a second through.
func pace(perSecond rate.Limit) *rate.Limiter { return rate.NewLimiter(perSecond, catchUp) }

// turn sets the producer's pace for this moment, and tells whether it is another one. The last burst is one whose calm
// still fits in.
func (s *script) turn(now time.Duration) (changed bool) {
	round := now / (burst + calm)
	start := round * (burst + calm)
	pace := rate.Limit(calmPace)
	if now-start < burst && (round == 0 || s.length == 0 || start+burst+calm <= s.length) {
		pace = burstPace
	}
	changed = pace != s.producer.Limit()
	s.producer.SetLimit(pace)
	return changed
}

// words say what the producer does now.
func (s *script) words() string {
	if s.producer.Limit() == burstPace {
		return fmt.Sprintf("a burst: %d orders a second arrive in eu, whose consumer can do %d", burstPace, euPace)
	}
	return fmt.Sprintf("the burst is over: %d orders a second arrive in eu", calmPace)
}

// finish lets every consumer work as fast as it can.
func (s *script) finish() {
	for _, c := range s.consumers {
		c.SetLimit(rate.Inf)
	}
}
