package amqp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure what is written while the socket is busy leaves in one piece, in order.
func TestWireGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pipe(t)
		for _, text := range []string{"one ", "two ", "three ", "four"} {
			if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			synctest.Wait() // "one " is on its way before "two " is written
		}
		for _, want := range []string{"one ", "two three four"} {
			if got := string(read(t, far)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// Ensure publishers are asked to wait when enough has gathered, and may go on when it has been taken or the wire failed.
func TestWireFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pipe(t)
		write(t, w, make([]byte, 1))
		synctest.Wait()
		write(t, w, make([]byte, enough-1))
		if w.full() != nil {
			t.Fatalf("full with %d bytes of %d", enough-1, enough)
		}
		write(t, w, make([]byte, 1)) // never blocks, however much there is
		room := w.full()
		if room == nil {
			t.Fatal("not full")
		}
		read(t, far)
		read(t, far)
		<-room
		if w.full() != nil {
			t.Error("still full")
		}
		write(t, w, make([]byte, 1))
		synctest.Wait()
		write(t, w, make([]byte, enough))
		room = w.full()
		check(t, far.Close())
		<-room
		if w.full() != nil {
			t.Error("waits for a socket that has failed")
		}
	})
}

// Ensure Close sends what has been written, but does not wait for ever.
func TestWireClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pipe(t)
		write(t, w, []byte("goodbye"))
		got := make(chan []byte, 1)
		go func() {
			text, _ := io.ReadAll(far)
			got <- text
		}()
		check(t, w.Close())
		if text := string(<-got); text != "goodbye" {
			t.Errorf("got %q", text)
		}
		if _, err := w.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}

		w, _ = pipe(t)
		write(t, w, []byte("nobody reads this"))
		before := time.Now()
		_ = w.Close()
		if took := time.Since(before); took != flushTimeout {
			t.Errorf("Close took %v, want %v", took, flushTimeout)
		}
	})
}

// Ensure a write that failed shows in the next Write and ends the reader.
func TestWireFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := pipe(t)
		check(t, w.SetDeadline(time.Now().Add(time.Second)))
		write(t, w, []byte("nobody reads this"))
		if _, err := w.Read(make([]byte, 1)); err == nil {
			t.Error("Read: no error")
		}
		synctest.Wait()
		if _, err := w.Write([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
		}
		if !errors.Is(w.failure(), os.ErrDeadlineExceeded) {
			t.Errorf("failure: %v", w.failure())
		}
	})
}

// Ensure a deadline that was set holds, however often the peer speaks: a goodbye must not wait for one that only sends
// heartbeats.
func TestWireDeadlineHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pipe(t)
		w.expect(time.Minute)
		check(t, w.SetDeadline(time.Now().Add(3*time.Second)))
		speaking := make(chan struct{})
		go func() {
			defer close(speaking)
			for {
				time.Sleep(time.Second)
				if _, err := far.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		var err error
		for err == nil && time.Since(began) < time.Minute {
			_, err = w.Read(make([]byte, 1))
		}
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		_ = w.Close()
		<-speaking
	})
}

// Ensure a silent peer is noticed, and one that speaks now and then is not.
func TestWireExpects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := pipe(t)
		const often = 10 * time.Second
		w.expect(often)
		go func() {
			for range 3 {
				time.Sleep(often - time.Second)
				_, _ = far.Write([]byte("."))
			}
		}()
		begin := time.Now()
		text, err := io.ReadAll(w)
		if string(text) != "..." || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %q, %v", text, err)
		}
		if took, want := time.Since(begin), 3*(often-time.Second)+often; took != want {
			t.Errorf("noticed after %v, want %v", took, want)
		}
	})
}

// Ensure amqp091-go does not move the read deadline itself: it would do so for every frame.
func TestWireHidesReadDeadline(t *testing.T) {
	var w any = new(wire)
	if _, ok := w.(interface{ SetReadDeadline(time.Time) error }); ok {
		t.Error("wire has SetReadDeadline")
	}
}

// BenchmarkWire writes as amqp091-go does, 1 KiB at a time, to a socket on loopback: as it is, and through a wire.
func BenchmarkWire(b *testing.B) {
	message := bytes.Repeat([]byte("x"), 1200)
	for _, gathered := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "gathered"}[gathered]
		b.Run(name, func(b *testing.B) {
			socket := loopback(b)
			var to io.Writer = socket
			if gathered {
				w := newWire(socket)
				defer w.Close()
				to = w
			}
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if w, ok := to.(*wire); ok {
					if room := w.full(); room != nil {
						<-room
					}
				}
				if _, err := to.Write(message); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(socket.writes.Load())/float64(b.N), "syscalls/op")
		})
	}
}

// counting counts how often a socket is written to.
type counting struct {
	net.Conn
	writes atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// loopback returns a socket whose other end reads everything.
func loopback(b *testing.B) *counting {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	check(b, err)
	b.Cleanup(func() {
		_ = conn.Close()
		_ = l.Close()
		<-done
	})
	return &counting{Conn: conn}
}

// pipe returns a wire and what is at its other end.
func pipe(t *testing.T) (*wire, net.Conn) {
	near, far := net.Pipe()
	w := newWire(near)
	t.Cleanup(func() {
		_ = far.Close()
		_ = w.Close()
	})
	return w, far
}

func write(t *testing.T, w io.Writer, text []byte) {
	t.Helper()
	if _, err := w.Write(text); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// read returns what one Write of the other side brought.
func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	text := make([]byte, 2*enough)
	n, err := r.Read(text)
	check(t, err)
	return text[:n]
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
