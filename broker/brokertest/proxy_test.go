package brokertest

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

func TestProxyPassesBothWays(t *testing.T) {
	c := dial(t, NewProxy(t, echo(t)))
	say(t, c, "ping")
	hear(t, c, "ping")
}

func TestProxyHoldsAnswersOnly(t *testing.T) {
	p := NewProxy(t, echo(t))
	c := dial(t, p)
	p.Hold()
	say(t, c, "ping")
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("while held: read %d bytes (%v), want none", n, err)
	}
	p.Release()
	hear(t, c, "ping") // which has reached the other side
}

func TestProxyCuts(t *testing.T) {
	p := NewProxy(t, echo(t))
	flowing, held := dial(t, p), dial(t, p)
	for _, c := range []net.Conn{flowing, held} {
		say(t, c, "ping")
		hear(t, c, "ping")
	}
	p.Hold()
	say(t, held, "pong")
	p.Cut()
	p.Release()
	for _, c := range []net.Conn{flowing, held} {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(make([]byte, 4)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after a cut: read %d bytes (%v), want the end", n, err)
		}
	}
	again := dial(t, p)
	say(t, again, "ping")
	hear(t, again, "ping")
}

// echo listens, and says back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q (%v), want %q", got, err, want)
	}
}
