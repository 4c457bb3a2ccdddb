package lab

import (
	"io"
	"net"
	"sync"
)

// forwarding passes on connections from one network to another.
type forwarding struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // both ends; nil once it is closed
}

func (f *forwarding) accept() {
	for {
		near, err := f.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", f.to)
		if err != nil { // as the host would refuse it
			_ = near.Close()
			continue
		}
		if !f.keep(near, far) {
			return
		}
		f.running.Go(func() { f.join(near, far) })
	}
}

// keep notes the two ends of a connection, or closes them if it is too late.
func (f *forwarding) keep(ends ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range ends {
		if f.open == nil {
			_ = end.Close()
			continue
		}
		f.open[end] = struct{}{}
	}
	return f.open != nil
}

// join copies both ways until one side ends.
func (f *forwarding) join(near, far net.Conn) {
	var other sync.WaitGroup
	defer other.Wait()
	end := func() {
		_ = near.Close()
		_ = far.Close()
		f.mu.Lock()
		delete(f.open, near)
		delete(f.open, far)
		f.mu.Unlock()
	}
	other.Go(func() {
		defer end()
		_, _ = io.Copy(near, far)
	})
	defer end()
	_, _ = io.Copy(far, near)
}

func (f *forwarding) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	open := f.open
	f.open = nil
	f.mu.Unlock()
	for end := range open {
		_ = end.Close()
	}
	f.running.Wait()
}
