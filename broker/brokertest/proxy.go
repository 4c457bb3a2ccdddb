package brokertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a driver and a broker on TCP, and is what Rig.Cut, Hold, Release and Silent (one that always
// holds) can be made of. It dials the broker for each connection it takes, and does not look at what passes.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex
	pairs map[*pair]struct{} // nil once the proxy is closed
	flow  chan struct{}      // closed while answers may pass
}

// pair is one connection on both of its sides.
type pair struct {
	driver, broker net.Conn
	over           chan struct{}
}

// NewProxy begins to listen on a port of its own for connections to target. It closes with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{listener: l, target: target, pairs: map[*pair]struct{}{}, flow: make(chan struct{})}
	close(p.flow)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is what the driver connects to, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

// Hold keeps what the broker says from the driver; what the driver says goes on to the broker.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

// Release lets pass what Hold kept, and what follows.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.flow)
}

func (p *Proxy) cut() {
	for c := range p.pairs {
		c.driver.Close()
		c.broker.Close()
		close(c.over)
	}
	clear(p.pairs)
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.cut()
	p.pairs = nil
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		driver, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			driver.Close()
			continue
		}
		p.join(&pair{driver: driver, broker: broker, over: make(chan struct{})})
	}
}

func (p *Proxy) join(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pairs == nil {
		c.driver.Close()
		c.broker.Close()
		return
	}
	p.pairs[c] = struct{}{}
	p.running.Go(func() { _, _ = io.Copy(c.broker, c.driver); p.end(c) })
	p.running.Go(func() { _, _ = io.Copy(c.driver, answers{p, c}); p.end(c) })
}

// end closes both sides when one has.
func (p *Proxy) end(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, open := p.pairs[c]; !open {
		return
	}
	delete(p.pairs, c)
	c.driver.Close()
	c.broker.Close()
	close(c.over)
}

// answers reads what the broker says, while it may pass.
type answers struct {
	*Proxy
	*pair
}

func (a answers) Read(b []byte) (int, error) {
	n, err := a.pair.broker.Read(b)
	a.mu.Lock()
	flow := a.flow
	a.mu.Unlock()
	select {
	case <-flow:
		return n, err
	case <-a.over:
		return 0, net.ErrClosed
	}
}
