package amqp

import (
	"slices"

	"weir/broker"
)

// floor finds up to where a stream has been settled without a gap. Tags and offsets both grow.
type floor struct {
	held   []holding // received, from the first that is not settled
	ended  bool      // one was given back: what comes after it will be read again, and need not be remembered
	offset int64     // of the last before held
	known  bool      // there has been one
}

type holding struct {
	tag     uint64
	offset  int64
	settled bool
}

func (f *floor) received(tag uint64, offset int64) {
	if !f.ended {
		f.held = append(f.held, holding{tag: tag, offset: offset})
	}
}

// ack settles tag and all before it that have not been settled.
func (f *floor) ack(tag uint64) {
	for i := range f.held {
		if f.held[i].tag > tag {
			break
		}
		f.held[i].settled = true
	}
	f.advance()
}

func (f *floor) settle(tag uint64, how broker.Settlement) {
	i := slices.IndexFunc(f.held, func(h holding) bool { return h.tag == tag })
	switch {
	case i < 0: // after one that was given back
	case how == broker.Returned:
		f.held, f.ended = f.held[:i], true
	default:
		f.held[i].settled = true
		f.advance()
	}
}

func (f *floor) advance() {
	n := 0
	for n < len(f.held) && f.held[n].settled {
		f.offset, f.known = f.held[n].offset, true
		n++
	}
	f.held = f.held[n:]
}

// settled returns the last offset up to which everything is settled; false before there is one.
func (f *floor) settled() (int64, bool) { return f.offset, f.known }
