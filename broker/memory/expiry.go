package memory

import "time"

// lock takes the broker's lock, and first of all does what time alone has done since: there is no goroutine for it.
func (b *Broker) lock() {
	b.mu.Lock()
	for q := range b.mortal {
		q.age(time.Now())
	}
}

// age drops messages past their time to live, and the queue itself if nobody has used it for longer than it expires.
func (q *queue) age(now time.Time) {
	for q.MessageTTL > 0 && len(q.ready) > 0 && now.Sub(q.ready[0].stored) >= q.MessageTTL {
		e := q.ready[0]
		q.ready = q.ready[1:]
		q.deadLetter(e)
	}
	if q.Expires > 0 && len(q.sources) == 0 && now.Sub(q.used) >= q.Expires {
		q.delete()
	}
}
