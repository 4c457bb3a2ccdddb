package federation_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
	"os"
	"runtime/pprof"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"weir/tests/lab"
)

func TestScratch(t *testing.T) {
	node := lab.RabbitMQ(t, "newest")
	eu, us := newRegion(t, node), newRegion(t, node)
	for _, r := range []region{eu, us} {
		_, err := r.ch.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
		r.must(err)
	}
	const n = 60000
	us.put(0, n)
	ch := eu.Channel()
	ch.Qos(2000, 0, false)
	ds, _ := ch.Consume("work", "", false, false, false, false, nil)
	var got atomic.Int64
	go func() {
		for d := range ds {
			if k := got.Add(1); k%200 == 0 || k >= n {
				d.Ack(true)
			}
		}
	}()
	f, _ := os.Create("/tmp/fedq.cpu")
	pprof.StartCPUProfile(f)
	g := federate(t, eu, us, workFromUS)
	began := time.Now()
	last := int64(0)
	for got.Load() < n && time.Since(began) < 40*time.Second {
		<-time.After(200 * time.Millisecond)
		s := g.status(fromUSLink)
		if s.Federation != nil {
			k := got.Load()
			fmt.Println(time.Since(began).Round(time.Millisecond), s.State, "batch", *s.Federation.Batch, "stranded", *s.Federation.Stranded, "inflight", s.InFlight, "got", k, "+", k-last)
			last = k
		}
	}
	pprof.StopCPUProfile()
	f.Close()
}
