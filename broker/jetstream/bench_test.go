package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"weir/broker"
	"weir/broker/jetstream"
)

// BenchmarkBesideSources moves 1 KiB messages with a few headers from one server to another, in turn by a link's loop over
// this driver and by JetStream's own sources, all in this process. The ratio is what counts.
func BenchmarkBesideSources(b *testing.B) {
	for _, retention := range []natsjs.RetentionPolicy{natsjs.LimitsPolicy, natsjs.WorkQueuePolicy} {
		b.Run(retention.String(), func(b *testing.B) {
			const all = 100_000
			hub := startSystem(b, 1, func(o *server.Options) {
				o.JetStreamDomain, o.LeafNode.Host, o.LeafNode.Port = "hub", "127.0.0.1", -1
			})
			at, err := hub.servers[0].Varz(nil)
			if err != nil {
				b.Fatal(err)
			}
			leaf := startSystem(b, 1, func(o *server.Options) {
				o.JetStreamDomain = "leaf"
				remote := &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", at.LeafNode.Port)}
				o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}
			})
			from, to := hub.native(b), leaf.native(b)
			var pump, sources cost
			for b.Loop() {
				fill(b, from, retention, all)
				sources.add(func() { native(b, to, all) })
				fill(b, from, retention, all)
				pump.add(func() { throughDriver(b, hub, leaf, to, all) })
			}
			n := float64(b.N * all)
			b.ReportMetric(n/pump.time.Seconds(), "msg/s")
			b.ReportMetric(n/sources.time.Seconds(), "sources-msg/s")
			b.ReportMetric(sources.time.Seconds()/pump.time.Seconds(), "ratio")
			b.ReportMetric(float64(pump.cpu.Microseconds())/n, "cpu-µs/msg")
			b.ReportMetric(float64(sources.cpu.Microseconds())/n, "sources-cpu-µs/msg")
		})
	}
}

// cost is what a way of moving messages takes, servers included: by the clock, and of the processors, which depends less
// on what else the machine does.
type cost struct{ time, cpu time.Duration }

func (c *cost) add(f func()) {
	begin, before := time.Now(), used()
	f()
	c.time += time.Since(begin)
	c.cpu += used() - before
}

func used() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func fill(b *testing.B, js natsjs.JetStream, retention natsjs.RetentionPolicy, all int) {
	b.Helper()
	_ = js.DeleteStream(within(b), "SRC")
	createStream(b, js, natsjs.StreamConfig{Name: "SRC", Subjects: []string{"src.>"}, Retention: retention})
	m := &nats.Msg{Subject: "src.orders", Data: make([]byte, 1024), Header: nats.Header{
		"Amqp-Content-Type": {"application/json"}, "Customer": {"acme"}, "Region": {"eu"},
	}}
	for range all {
		if _, err := js.PublishMsgAsync(m, natsjs.WithStallWait(10*time.Second)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

func native(b *testing.B, js natsjs.JetStream, all int) {
	b.Helper()
	_ = js.DeleteStream(within(b), "DST")
	createStream(b, js, natsjs.StreamConfig{Name: "DST", Sources: []*natsjs.StreamSource{
		{Name: "SRC", External: &natsjs.ExternalStream{APIPrefix: "$JS.hub.API"}},
	}})
	arrived(b, js, all)
}

func arrived(b *testing.B, js natsjs.JetStream, all int) {
	eventually(b, "end of the transfer", func() bool { return messages(b, js, "DST") >= uint64(all) })
}

// throughDriver is what a link does, without what a link adds: receive, send, and ack in order what is confirmed.
func throughDriver(b *testing.B, hub, leaf *system, to natsjs.JetStream, all int) {
	b.Helper()
	_ = to.DeleteStream(within(b), "DST")
	createStream(b, to, natsjs.StreamConfig{Name: "DST", Subjects: []string{"dst.>"}})
	source := open(b, jetstream.Config{InProcess: hub.servers[0]})
	target := open(b, jetstream.Config{InProcess: leaf.servers[0]})
	src := openSource(b, source, broker.Address{Stream: "SRC", Consumer: "C"}, broker.SourceOptions{Window: 4000, Site: "eu"})
	sink := openSink(b, target, broker.Address{Subject: "dst.orders"}, broker.SinkOptions{Site: "eu"})
	type sent struct {
		m *broker.Message
		c broker.Confirm
	}
	flight := make(chan sent, 4000)
	settled := make(chan error, 1)
	go func() {
		var last *broker.Message
		for f := range flight {
			if errors.Is(f.c.Err(), broker.ErrPending) {
				if last != nil { // ack before it would block
					if err := src.Ack(last); err != nil {
						settled <- err
						return
					}
				}
				<-f.c.Done()
			}
			if err := f.c.Err(); err != nil {
				settled <- err
				return
			}
			last = f.m
		}
		settled <- src.Ack(last)
	}()
	for range all {
		m, err := src.Receive(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		c, err := sink.Send(context.Background(), m)
		if err != nil {
			b.Fatal(err)
		}
		flight <- sent{m, c}
	}
	close(flight)
	if err := <-settled; err != nil {
		b.Fatal(err)
	}
	arrived(b, to, all)
}
