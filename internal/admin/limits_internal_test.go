package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/configs"
	"weir/internal/gateway"
)

// wires is a listener without a network, so that the limits of time can be tested on the fake clock. Nothing is buffered on
// the way: who does not read keeps the other from writing.
type wires struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}
func (w *wires) Close() error   { close(w.closed); return nil }
func (w *wires) Addr() net.Addr { return &net.UnixAddr{Name: "wires"} }

// caller is one connection to a server, and when it began.
type caller struct {
	*testing.T
	net.Conn
	read  *bufio.Reader
	began time.Time
}

// served runs test with connections to a server in a bubble.
func served(t *testing.T, test func(t *testing.T, dial func() *caller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		cfg, _, err := configs.Parse("weir.yaml", []byte("version: 1"), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		g, err := gateway.Start(ctx, cfg, nil, gateway.Options{File: "weir.yaml", Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{log: log, api: newAPI(g, Extras{}, nil, false, log)}
		l := &wires{make(chan net.Conn), make(chan struct{})}
		s.serve(l, s.api)
		defer func() {
			cancel()
			g.Wait()
			s.Close()
		}()
		test(t, func() *caller {
			here, there := net.Pipe()
			t.Cleanup(func() { _ = here.Close() })
			l.conns <- there
			return &caller{t, here, bufio.NewReader(here), time.Now()}
		})
	})
}

func (c *caller) say(text string) {
	c.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.Fatal(err)
	}
}

// ends demands that the server hangs up after so long.
func (c *caller) ends(after time.Duration) {
	c.Helper()
	_, _ = io.Copy(io.Discard, c.read)
	if took := time.Since(c.began); took != after {
		c.Errorf("it ended after %v, want %v", took, after)
	}
}

// answered reads one answer to its end.
func (c *caller) answered() error {
	response, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

const request = "GET /healthz HTTP/1.1\r\nHost: weir\r\n\r\n"

func TestWhoIsSlowToAskIsCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		said  string
		after time.Duration
	}{
		"nothing":          {"", 5 * time.Second},
		"half of a header": {"GET /healthz HTTP/1.1\r\nHost: we", 5 * time.Second},
		"half of a body":   {"POST /api/links/orders/pause HTTP/1.1\r\nHost: weir\r\nContent-Length: 100\r\n\r\n{", 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			served(t, func(_ *testing.T, dial func() *caller) {
				caller := dial()
				caller.say(c.said)
				caller.ends(c.after)
			})
		})
	}
}

func TestWhoIsSilentAfterAnAnswerIsCutOff(t *testing.T) {
	served(t, func(t *testing.T, dial func() *caller) {
		c := dial()
		c.say(request)
		if err := c.answered(); err != nil {
			t.Fatal(err)
		}
		c.ends(time.Minute)
	})
}

func TestWhoIsSlowToReadIsCutOff(t *testing.T) {
	for waits, want := range map[time.Duration]bool{59 * time.Second: true, 61 * time.Second: false} {
		t.Run(fmt.Sprint(waits), func(t *testing.T) {
			served(t, func(t *testing.T, dial func() *caller) {
				c := dial()
				c.say(request)
				<-time.After(waits)
				if err := c.answered(); (err == nil) != want {
					t.Errorf("answered: %v", err)
				}
			})
		})
	}
}

// None of these limits ends a page that is followed live, which only reads.
func TestEventsGoOn(t *testing.T) {
	served(t, func(t *testing.T, dial func() *caller) {
		c := dial()
		c.say("GET /api/events HTTP/1.1\r\nHost: weir\r\n\r\n")
		events := 0
		for time.Since(c.began) < time.Hour {
			line, err := c.read.ReadString('\n')
			if err != nil {
				t.Fatalf("ended after %v and %d events: %v", time.Since(c.began), events, err)
			}
			if strings.HasPrefix(line, "data: ") {
				events++
			}
		}
		if events < 3600 {
			t.Errorf("%d events in an hour, want one a second", events)
		}
	})
}

// Who follows and does not read is let go.
func TestEventsThatNobodyReadsEnd(t *testing.T) {
	served(t, func(t *testing.T, dial func() *caller) {
		c := dial()
		c.say("GET /api/events HTTP/1.1\r\nHost: weir\r\n\r\n")
		if _, err := c.read.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		<-time.After(eventEvery + eventPatience + time.Second)
		woke := time.Now()
		_, _ = io.Copy(io.Discard, io.LimitReader(c.read, 1<<20)) // what is on the way
		if !time.Now().Equal(woke) {
			t.Errorf("it went on for %v after %v of silence", time.Since(woke), woke.Sub(c.began))
		}
	})
}
