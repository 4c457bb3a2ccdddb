package amqp

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// readBuffer is how much one system call may read. amqp091-go itself reads 4 KiB at a time.
	readBuffer = 128 << 10
	// enough is how many bytes may wait to be written before publishers have to wait (see full).
	enough = 256 << 10
	// keep is the largest buffer that is used again. A big message may grow one beyond it.
	keep = 1 << 20
	// flushTimeout bounds how long Close waits for what has been written to leave.
	flushTimeout = time.Second
)

// wire is the byte stream under one AMQP connection, above TLS. amqp091-go writes to the socket once a method; wire
// gathers what it writes, and one goroutine sends whatever has gathered meanwhile: many methods share a system call
// under load, and each leaves at once when idle.
//
// Write never blocks. amqp091-go writes while it holds locks that its reader and its Close need, and RabbitMQ stops
// reading from a publisher under an alarm: a full socket must not be felt there. Whoever writes without a bound of its
// own asks full first.
//
// wire has no SetReadDeadline on purpose: amqp091-go would wake a goroutine on every frame to move the deadline. See
// expect.
type wire struct {
	conn net.Conn
	node string // where it leads, host and port, as a URI names it
	in   *bufio.Reader

	first atomic.Uint32 // the first byte that was read, plus one

	stalls stalls // of who reads

	deadline sync.Mutex    // held while the read deadline is moved
	idle     time.Duration // see expect

	mu       sync.Mutex
	gathered []byte        // written, not taken yet
	sent     []byte        // what was taken last; its memory is used again
	room     chan struct{} // closed when gathered is taken; nil while nobody waits
	writeErr error         // what Write returns from now on
	cause    error         // the first thing that went wrong
	wake     chan struct{} // says that gathered is not empty; closed by Close
	closed   bool

	finished chan struct{} // closed when the writing goroutine has ended
}

// newWire starts to write to conn. Close must be called.
func newWire(conn net.Conn) *wire {
	w := &wire{conn: conn, stalls: stalls{born: time.Now()}, wake: make(chan struct{}, 1), finished: make(chan struct{})}
	w.in = bufio.NewReaderSize(reading{w}, readBuffer)
	go w.write()
	return w
}

// Read implements io.Reader for amqp091-go's one reader.
func (w *wire) Read(p []byte) (int, error) {
	w.stalls.end()
	defer w.stalls.begin()
	return w.in.Read(p)
}

// Write implements io.Writer. An error is that of an earlier write.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writeErr != nil {
		return 0, w.writeErr
	}
	if len(w.gathered) == 0 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	w.gathered = append(w.gathered, p...)
	return len(p), nil
}

// full returns nil while there is room for more, else a channel that is closed when it is worth asking again.
func (w *wire) full() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.gathered) < enough || w.writeErr != nil {
		return nil
	}
	if w.room == nil {
		w.room = make(chan struct{})
	}
	return w.room
}

// expect makes silence that lasts longer than d an error from now on: the other side sends heartbeats more often.
func (w *wire) expect(d time.Duration) {
	w.deadline.Lock()
	defer w.deadline.Unlock()
	w.idle = d
	_ = w.conn.SetReadDeadline(time.Now().Add(d)) // an error here is one that Read will return
}

// SetDeadline bounds reads and writes on the socket, and ends what expect has begun: the next read must not move the bound.
func (w *wire) SetDeadline(t time.Time) error {
	w.deadline.Lock()
	defer w.deadline.Unlock()
	w.idle = 0
	return w.conn.SetDeadline(t)
}

// LocalAddr is what amqp091-go passes on.
func (w *wire) LocalAddr() net.Addr { return w.conn.LocalAddr() }

// RemoteAddr is what amqp091-go passes on.
func (w *wire) RemoteAddr() net.Addr { return w.conn.RemoteAddr() }

// failure is the first thing that went wrong on the socket, or nil.
func (w *wire) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// wantsTLS tells whether the other side has answered with an alert of TLS (RFC 8446, section 5.1).
func (w *wire) wantsTLS() bool {
	const alert = 21
	return w.first.Load() == alert+1
}

// Close sends what has been written, for flushTimeout at most, and closes the socket.
func (w *wire) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		<-w.finished
		return nil
	}
	w.closed = true
	if w.writeErr == nil {
		w.writeErr = net.ErrClosed
	}
	close(w.wake)
	flush := flushTimeout
	if w.cause != nil { // nobody is there to read it
		flush = 0
	}
	w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(flush))
	<-w.finished
	return w.conn.Close()
}

// write is the one goroutine that writes to the socket.
func (w *wire) write() {
	defer close(w.finished)
	for open := true; open; {
		_, open = <-w.wake
		for batch := w.take(); len(batch) > 0; batch = w.take() {
			if _, err := w.conn.Write(batch); err != nil {
				w.fail(err)
				_ = w.conn.Close() // the reader must notice
				return
			}
		}
	}
}

// take returns what has gathered. It is good until the next call.
func (w *wire) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cap(w.sent) > keep {
		w.sent = nil
	}
	w.gathered, w.sent = w.sent[:0], w.gathered
	w.admit()
	return w.sent
}

// admit lets those go on who wait for room.
func (w *wire) admit() {
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
}

func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		w.cause = err
	}
	if w.writeErr == nil {
		w.writeErr = err
	}
	w.admit()
}

// reading is the socket's side of a wire's read buffer.
type reading struct{ *wire }

// Read moves the deadline that expect has set, which costs little because a read fetches all that has arrived.
func (r reading) Read(p []byte) (int, error) {
	if err := r.moveDeadline(); err != nil {
		return 0, err
	}
	n, err := r.conn.Read(p)
	if n > 0 && r.first.Load() == 0 {
		r.first.Store(uint32(p[0]) + 1)
	}
	if err != nil {
		r.mu.Lock()
		if r.cause == nil && !r.closed {
			r.cause = err
		}
		r.mu.Unlock()
	}
	return n, err
}

func (r reading) moveDeadline() error {
	r.deadline.Lock()
	defer r.deadline.Unlock()
	if r.idle == 0 {
		return nil
	}
	return r.conn.SetReadDeadline(time.Now().Add(r.idle))
}
