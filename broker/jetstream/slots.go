package jetstream

import (
	"strconv"

	"weir/broker"
)

// slots tell which message an answer is about: each message on its way has one, and asks the server to answer to the
// slot's own subject. The lowest number is used again first, since servers remember the few subjects that come often.
type slots struct {
	prefix string // subject of slot n is prefix + n
	list   []slot
	free   []int // a stack
	used   int
}

type slot struct {
	reply   string
	subject string // where the message went
	expect  []byte // what the answer begins with if all is well
	answer  *broker.Answer
}

// maxSlots is how many messages of one sink can be on their way. It is above any window.
const maxSlots = 1 << 15

// take returns a slot. ok is false if there is none left.
func (s *slots) take(answer *broker.Answer, subject string, expect []byte) (reply string, ok bool) {
	if len(s.free) == 0 {
		if len(s.list) == maxSlots {
			return "", false
		}
		s.free = append(s.free, len(s.list))
		s.list = append(s.list, slot{reply: s.prefix + strconv.Itoa(len(s.list))})
	}
	n := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.used++
	p := &s.list[n]
	p.subject, p.expect, p.answer = subject, expect, answer
	return p.reply, true
}

// answered frees the slot that a reply came to. ok is false for a reply to none.
func (s *slots) answered(reply string) (was slot, ok bool) {
	if len(reply) < len(s.prefix) {
		return was, false
	}
	n, err := strconv.Atoi(reply[len(s.prefix):])
	if err != nil || n < 0 || n >= len(s.list) || s.list[n].answer == nil {
		return was, false
	}
	was = s.list[n]
	s.list[n].answer = nil
	s.free = append(s.free, n)
	s.used--
	return was, true
}

// each calls f for every message on its way.
func (s *slots) each(f func(*slot)) {
	for i := range s.list {
		if s.list[i].answer != nil {
			f(&s.list[i])
		}
	}
}
