package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/link"
)

// BenchmarkLinks: what 1,000 links with nothing to do cost one process: until all are open, memory a link, CPU, and a
// reload that changes one.
func BenchmarkLinks(b *testing.B) {
	const links = 1000
	p := newPair(b, "classic")
	for _, ch := range []*amqp.Channel{p.fromCh, p.toCh} {
		for i := range links {
			if _, err := ch.QueueDeclare(fmt.Sprintf("bench-%d", i), true, false, false, true, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		alone := startWeir(b, p.manyLinks(1, "64"))
		await(b, "one link is idle", func() bool { return alone.states()[link.Idle] == 1 })
		base := alone.resident()
		alone.stop()

		w := startWeir(b, p.manyLinks(links, "64"))
		started := await(b, "all links are idle", func() bool { return w.states()[link.Idle] == links })
		const rest = 10 * time.Second
		<-time.After(2 * time.Second) // until what the start took has been collected
		used := cpu(w.cmd.Process.Pid)
		<-time.After(rest)
		used = cpu(w.cmd.Process.Pid) - used

		w.write(p.manyLinks(links, "65"))
		began := time.Now()
		if out, err := exec.Command(binary, "reload", "-c", w.config).CombinedOutput(); err != nil {
			b.Fatalf("reload: %v\n%s", err, out)
		}
		await(b, "all links are idle again", func() bool { return w.states()[link.Idle] == links })
		reloaded := time.Since(began)
		b.ReportMetric(started.Seconds(), "start-s")
		b.ReportMetric((w.resident()-base)/(links-1), "KiB/link")
		b.ReportMetric(100*used.Seconds()/rest.Seconds(), "idle-CPU-%")
		b.ReportMetric(reloaded.Seconds(), "reload-s")
		w.stop()
		if n := bytes.Count(w.log.Bytes(), []byte("link open")); n != links+1 {
			b.Errorf("%d links were opened, want %d and the one that was changed", n, links)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// manyLinks is n shovels, the last of them with a prefetch count of its own.
func (p *pair) manyLinks(n int, prefetch string) string {
	head, _, _ := strings.Cut(p.yaml(p.to.URIs()[0], 0), "shovels:")
	var s strings.Builder
	s.WriteString(head + "shovels:\n")
	for i := range n {
		count := "64"
		if i == n-1 {
			count = prefetch
		}
		fmt.Fprintf(&s, "  bench-%[1]d: {source: {queue: bench-%[1]d, prefetch-count: %[2]s}, destinations: [{broker: dst, queue: bench-%[1]d}]}\n", i, count)
	}
	return s.String()
}
