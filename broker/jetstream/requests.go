package jetstream

import (
	"strconv"
	"time"
)

// requests are the pull requests that a Source has made and that have not ended. What is asked for and has not arrived
// counts towards the window, so that the window is never exceeded; it is asked for in few requests, each for as much as
// is free.
//
// The server spreads messages over requests that are open together, and tells how much of each was left when it ends: it
// has timed out, is complete, or the next message is larger than its bytes. A replicated consumer tells so before the
// last messages arrive.
type requests struct {
	asked   int // messages asked for that have not arrived
	claimed int // bytes they may have at most
	open    map[uint64]request
	id      uint64

	// large: the next message is larger than what a request with a share of the memory may have.
	large bool
}

// request is one of them: what it asked for, and when it has ended at the latest.
type request struct {
	messages, bytes int
	whole           bool // for a message of any size: its bytes are bounded by the consumer alone
	deadline        time.Time
}

const (
	// memory is how many bytes a Source holds and asks for at most, one message excepted. A server gives up a connection
	// for which more than 64 MiB wait.
	memory = 32 << 20
	// A request waits this long at the server. Short while messages come, so that Stop need not wait for long or lose
	// sight of a message on its way; long on an idle source, since each request costs a replicated consumer two entries
	// in its log.
	shortWait, longWait = time.Second, 30 * time.Second
	requestGrace        = 5 * time.Second // an answer that takes longer never comes
)

// next returns the next request to make, if one is worthwhile: a quarter of the window is free, or nothing is asked for.
// It asks for half the window at most, so that two requests are open, which do not end together.
func (r *requests) next(window int, held *deliveries) (n request, ok bool) {
	free := window - held.unsettled - r.asked
	if free <= 0 || r.asked > 0 && free < (window+3)/4 {
		return n, false
	}
	if r.large {
		if held.unsettled > 0 || r.asked > 0 {
			return n, false
		}
		return request{messages: 1, whole: true}, true
	}
	n.messages = min(free, (window+1)/2)
	n.bytes = memory / window * n.messages
	return n, held.bytes+r.claimed+n.bytes <= memory || held.unsettled+r.asked == 0
}

// made notes a request, and returns its number.
func (r *requests) made(n request) uint64 {
	if r.open == nil {
		r.open = make(map[uint64]request)
	}
	r.id++
	r.open[r.id] = n
	r.asked += n.messages
	r.claimed += n.bytes
	return r.id
}

// arrived notes a message.
func (r *requests) arrived(bytes int) {
	r.large = false
	r.less(1, bytes)
}

// ended notes that the request with this number is over, with so much of it left. known is false for one that has been
// taken as over before.
func (r *requests) ended(id uint64, messages, bytes int) (n request, known bool) {
	if n, known = r.open[id]; known {
		delete(r.open, id)
		r.less(messages, bytes)
	}
	return n, known
}

// lost reports whether something that was asked for will never come: the end of a request has been missed, or all have
// ended and nothing has arrived for long. That happens with a server that is gone.
func (r *requests) lost(now, heard time.Time) bool {
	for _, n := range r.open {
		if now.After(n.deadline) {
			return true
		}
	}
	return r.asked > 0 && len(r.open) == 0 && now.Sub(heard) > requestGrace
}

// forget takes everything as over.
func (r *requests) forget() { r.less(r.asked, r.claimed) }

// less takes from what is expected. Once nothing is, all requests are over.
func (r *requests) less(messages, bytes int) {
	r.asked = max(0, r.asked-messages)
	r.claimed = max(0, r.claimed-bytes)
	if r.asked == 0 {
		clear(r.open)
		r.claimed = 0
	}
}

// appendJSON is the request as the server reads it.
func (n request) appendJSON(b []byte, wait time.Duration, at place) []byte {
	b = strconv.AppendInt(append(b, `{"batch":`...), int64(n.messages), 10)
	b = strconv.AppendInt(append(b, `,"expires":`...), int64(wait), 10)
	if n.bytes > 0 {
		b = strconv.AppendInt(append(b, `,"max_bytes":`...), int64(n.bytes), 10)
	}
	if at.group != "" {
		b = strconv.AppendQuote(append(b, `,"group":`...), at.group)
	}
	if at.priority > 0 {
		b = strconv.AppendInt(append(b, `,"priority":`...), int64(at.priority), 10)
	}
	return append(b, '}')
}
