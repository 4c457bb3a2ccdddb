package federation

import "time"

const (
	// requestsPerSecond is what watching may cost a broker.
	requestsPerSecond = 20
	// pollEvery is how often bindings are read where nothing tells of changes, as far as requestsPerSecond allows.
	pollEvery = time.Second
	// restFactor times as long as a reading took, that exchange is left alone: many bindings take long to list.
	restFactor = 4
)

// schedule says whose bindings are to be read next.
type schedule struct {
	exchanges map[string]*reading
}

// reading is the last reading of one exchange's bindings.
type reading struct {
	at    time.Time // zero: never
	took  time.Duration
	stale bool // something has changed since
}

// set makes these the exchanges there are.
func (s *schedule) set(exchanges []string) {
	old := s.exchanges
	s.exchanges = make(map[string]*reading, len(exchanges))
	for _, x := range exchanges {
		if s.exchanges[x] = old[x]; s.exchanges[x] == nil {
			s.exchanges[x] = &reading{}
		}
	}
}

// hint notes that the bindings of an exchange have changed.
func (s *schedule) hint(exchange string) {
	if r := s.exchanges[exchange]; r != nil {
		r.stale = true
	}
}

// forget notes that any may have changed.
func (s *schedule) forget() {
	for _, r := range s.exchanges {
		r.stale = true
	}
}

// done notes that an exchange's bindings have been read.
func (s *schedule) done(exchange string, began time.Time) {
	now := time.Now()
	s.exchanges[exchange] = &reading{at: now, took: now.Sub(began)}
}

// isNew tells whether an exchange's bindings have never been read.
func (s *schedule) isNew(exchange string) bool { return s.exchanges[exchange].at.IsZero() }

// next is the exchange that is due first, and when. hinted: changes are told.
func (s *schedule) next(hinted bool) (exchange string, at time.Time, found bool) {
	interval := s.interval()
	if hinted {
		interval = fullEvery
	}
	for x, r := range s.exchanges {
		due := r.at
		if !r.at.IsZero() {
			rest := restFactor * r.took
			if !r.stale {
				rest = max(rest, interval)
			}
			due = r.at.Add(rest)
		}
		if !found || due.Before(at) || due.Equal(at) && x < exchange {
			exchange, at, found = x, due, true
		}
	}
	return exchange, at, found
}

// interval is how often each can be read within the budget.
func (s *schedule) interval() time.Duration {
	n := time.Duration(len(s.exchanges))
	return max(pollEvery, (n * time.Second / requestsPerSecond).Round(100*time.Millisecond))
}
