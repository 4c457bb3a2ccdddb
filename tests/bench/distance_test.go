package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// BenchmarkDistance: weir at its defaults to a destination 80 ms away (there and back), beside the same next door.
func BenchmarkDistance(b *testing.B) {
	p := newPair(b, "quorum")
	near := proxy(b, bare(p.to.URIs()[0]), 0)
	far := proxy(b, bare(p.to.URIs()[0]), 40)
	for b.Loop() {
		p.stage().compare(b, "near", gateway(p.yaml(far, 0)), gateway(p.yaml(near, 0)))
	}
}

// proxy puts a delay, in ms each way, in front of a broker. Both ways of the comparison go through one, so that what the
// proxy itself costs is on both sides.
func proxy(b *testing.B, uri string, delay int) string {
	b.Helper()
	target := strings.TrimPrefix(uri, "amqp://")
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	p := toxiproxy.NewProxy(server, fmt.Sprintf("wan-%d", delay), net.JoinHostPort("127.0.0.1", "0"), target)
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"name": %q, "type": "latency", "stream": %q, "attributes": {"latency": %d}}`, stream, stream, delay)
		if _, err := p.Toxics.AddToxicJson(io.NopCloser(bytes.NewReader([]byte(toxic)))); err != nil {
			b.Fatal(err)
		}
	}
	return "amqp://" + p.Listen
}
