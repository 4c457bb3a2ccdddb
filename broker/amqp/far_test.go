package amqp_test

import (
	"net"
	"sync"
	"testing"
	"time"
)

// far is a way to target that takes so long, each way. It returns where it begins.
func far(t testing.TB, target string, way time.Duration) string {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			running.Go(func() { carry(near, there, way) })
			running.Go(func() { carry(there, near, way) })
		}
	})
	return listener.Addr().String()
}

// carry copies until one side closes. What is on its way does not wait for what went before.
func carry(from, to net.Conn, way time.Duration) {
	type parcel struct {
		due  time.Time
		data []byte
	}
	road := make(chan parcel, 4096)
	go func() {
		defer close(road)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			road <- parcel{time.Now().Add(way), buf[:n]}
		}
	}()
	for p := range road {
		<-time.After(time.Until(p.due))
		_, _ = to.Write(p.data) // an error shows when reading
	}
	_ = to.Close()
	_ = from.Close()
}
