package bench

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// thinWindow is how many messages a thin loop has under way: as many as weir's window has grown to.
const thinWindow = 2000

// thin moves messages and looks at nothing, in this process: what it uses is charged to the brokers. each: every message
// has an identity, for the destination to know it by, and an ack of its own. Otherwise one ack settles many.
func (l *leaf) thin(each bool) mover {
	return func(b *testing.B) (int, func()) {
		b.Helper()
		policy := jetstream.AckAllPolicy
		if each {
			policy = jetstream.AckExplicitPolicy
		}
		if _, err := l.leafJS.CreateStream(b.Context(), jetstream.StreamConfig{Name: "DST", Subjects: []string{"dst.>"}}); err != nil {
			b.Fatal(err)
		}
		if _, err := l.hubJS.CreateConsumer(b.Context(), "SRC", jetstream.ConsumerConfig{
			Durable: "thin", AckPolicy: policy, MaxAckPending: 2 * thinWindow,
		}); err != nil {
			b.Fatal(err)
		}
		t := &thin{each: each, inbox: nats.NewInbox(), answers: nats.NewInbox()}
		t.from, t.to = connect(b, l.hub.ClientURL()), connect(b, l.leaf.ClientURL())
		subscribe(b, t.to, t.answers+".*", t.onAnswer)
		subscribe(b, t.from, t.inbox, t.onMessage)
		t.mu.Lock()
		t.ask()
		t.mu.Unlock()
		return 0, func() { t.from.Close(); t.to.Close() }
	}
}

func connect(b *testing.B, url string) *nats.Conn {
	b.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	return nc
}

func subscribe(b *testing.B, nc *nats.Conn, subject string, f nats.MsgHandler) {
	b.Helper()
	sub, err := nc.Subscribe(subject, f)
	if err != nil {
		b.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
}

// thin is such a loop. Message n goes by slot n modulo the window: one stream on one server answers in order.
type thin struct {
	each           bool
	from, to       *nats.Conn
	inbox, answers string

	mu                  sync.Mutex
	asked, got, settled int
	slots               [thinWindow]string // where to ack
}

func (t *thin) onMessage(m *nats.Msg) {
	if m.Header.Get("Status") != "" { // the end of a request
		return
	}
	t.mu.Lock()
	slot := t.got % thinWindow
	t.got++
	t.slots[slot] = m.Reply
	t.mu.Unlock()
	if t.each {
		about, err := m.Metadata()
		if err != nil {
			return
		}
		m.Header.Set(nats.MsgIdHdr, "stream SRC, "+strconv.FormatUint(about.Sequence.Stream, 10))
	}
	_ = t.to.PublishMsg(&nats.Msg{Subject: "dst.orders", Reply: t.answers + "." + strconv.Itoa(slot), Header: m.Header, Data: m.Data})
}

func (t *thin) onAnswer(m *nats.Msg) {
	slot, err := strconv.Atoi(m.Subject[len(t.answers)+1:])
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settled++
	if t.each || t.settled%(thinWindow/16) == 0 {
		_ = t.from.Publish(t.slots[slot], nil)
	}
	t.ask()
}

// ask requests as much as the window has room for, once that is a quarter of it. The caller holds mu.
func (t *thin) ask() {
	if free := thinWindow - (t.asked - t.settled); free >= thinWindow/4 {
		t.asked += free
		_ = t.from.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.SRC.thin", t.inbox, fmt.Appendf(nil, `{"batch":%d}`, free))
	}
}
