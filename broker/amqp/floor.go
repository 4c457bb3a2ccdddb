package amqp

import "weir/broker"

// floor finds up to where a stream has been settled without a gap. Tags and offsets both grow.
type floor struct {
	held   []holding // received, from the first that is not settled
	offset int64     // of the last before that
	known  bool      // there has been one
}

type holding struct {
	tag     uint64
	offset  int64
	settled bool
	back    bool // returned: it counts as not settled for good
}

func (f *floor) received(tag uint64, offset int64) {
	f.held = append(f.held, holding{tag: tag, offset: offset})
}

// ack settles tag and all before it that have not been settled.
func (f *floor) ack(tag uint64) {
	for i := range f.held {
		h := &f.held[i]
		if h.tag > tag {
			break
		}
		h.settled = !h.back
	}
	f.advance()
}

func (f *floor) settle(tag uint64, how broker.Settlement) {
	for i := range f.held {
		if h := &f.held[i]; h.tag == tag {
			h.back = how == broker.Returned
			h.settled = !h.back
			break
		}
	}
	f.advance()
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
