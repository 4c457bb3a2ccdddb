package amqp

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// farEnd is the other end of a connection, in memory: it answers what opens a connection, channel 1 and a consumer, and
// confirms and delivers what is published, frame by frame as it came.
type farEnd struct {
	mu     sync.Mutex
	news   sync.Cond
	toRead bytes.Buffer
	closed bool

	written   []byte // what does not make a frame yet
	consumer  string // a short string; empty: what is published is dropped
	published uint64
	headers   int    // content headers seen
	header    []byte // the last one
}

// open connects to a far end, through a wire as the driver does.
func (f *farEnd) open(tb testing.TB) *amqp091.Channel {
	tb.Helper()
	f.news.L = &f.mu
	conn, err := amqp091.Open(&frames{wire: newWire(f)}, amqp091.Config{
		SASL: []amqp091.Authentication{&amqp091.PlainAuth{}}, FrameSize: frameMax, Vhost: "/", Locale: "en_US",
	})
	check(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	check(tb, err)
	return ch
}

// Write implements net.Conn.
func (f *farEnd) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = append(f.written, p...)
	whole := 0
	for {
		n := frameSize(f.written[whole:])
		if n == 0 || whole+n > len(f.written) {
			break
		}
		f.take(f.written[whole : whole+n])
		whole += n
	}
	f.written = f.written[:copy(f.written, f.written[whole:])]
	f.news.Broadcast()
	return len(p), nil
}

// take answers one frame.
func (f *farEnd) take(frame []byte) {
	switch {
	case frame[0] == 'A':
		f.answer(0, 10, 10, []byte{0, 9}, sized(), sized([]byte("PLAIN")), sized([]byte("en_US")))
		return
	case frame[0] == frameContent:
		f.headers++
		f.header = append(f.header[:0], frame[frameHeader:len(frame)-frameEnd]...)
	}
	if frame[0] != frameMethod {
		if f.consumer != "" {
			f.toRead.Write(frame)
		}
		return
	}
	arguments := frame[frameHeader+4 : len(frame)-frameEnd]
	switch binary.BigEndian.Uint32(frame[frameHeader:]) {
	case 10<<16 | 11: // connection.start-ok
		f.answer(0, 10, 30, []byte{0, 0}, binary.BigEndian.AppendUint32(nil, frameMax), []byte{0, 0})
	case 10<<16 | 40: // connection.open
		f.answer(0, 10, 41, []byte{0})
	case 10<<16 | 50: // connection.close
		f.answer(0, 10, 51)
	case 20<<16 | 10: // channel.open
		f.answer(1, 20, 11, sized())
	case 60<<16 | 20: // basic.consume
		rest := arguments[2:]
		rest = rest[1+rest[0]:]
		f.consumer = string(rest[:1+rest[0]])
		f.answer(1, 60, 21, []byte(f.consumer))
	case 60<<16 | 40: // basic.publish
		if f.published++; f.consumer != "" {
			tag := binary.BigEndian.AppendUint64(nil, f.published)
			route := arguments[2 : len(arguments)-1]
			f.answer(1, 60, 60, []byte(f.consumer), tag, []byte{0}, route)
		}
	}
}

// answer writes a method.
func (f *farEnd) answer(channel byte, class, number uint16, arguments ...[]byte) {
	frame := method(class, number, slices.Concat(arguments...)...)
	frame[2] = channel
	f.toRead.Write(frame)
}

// lastHeader waits until so many messages have been published, and returns the content header of the last one.
func (f *farEnd) lastHeader(published int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.headers < published {
		f.news.Wait()
	}
	return slices.Clone(f.header)
}

// Read implements net.Conn.
func (f *farEnd) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.toRead.Len() == 0 {
		if f.closed {
			return 0, io.EOF
		}
		f.news.Wait()
	}
	return f.toRead.Read(p)
}

// Close implements net.Conn.
func (f *farEnd) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.news.Broadcast()
	return nil
}

// LocalAddr implements net.Conn.
func (f *farEnd) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr implements net.Conn.
func (f *farEnd) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline implements net.Conn.
func (f *farEnd) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (f *farEnd) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (f *farEnd) SetWriteDeadline(time.Time) error { return nil }
