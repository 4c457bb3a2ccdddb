package page

import (
	"fmt"
	"strings"
	"testing"

	"weir/broker/memory"
	"weir/internal/telemetry"
)

// hostile are names that would like to be more than names.
var hostile = []string{
	`<script>window.hacked = 1</script>`,
	`<img src=x onerror="window.hacked=1">`,
	`" onmouseover="window.hacked=1" x="`,
	`'); window.hacked=1; ('`,
	`</textarea></title></svg><svg onload=window.hacked=1>`,
	`javascript:window.hacked=1`,
	"\u202Egnp.ecid\u202C",
	"أوامر",
	"a\u2066b\u0000c",
	`../../reload`,
	`${window.hacked=1}{{window.hacked=1}}`,
}

// shown is what the page makes of a name.
func shown(name string) string {
	return strings.NewReplacer("\u202E", `\u202e`, "\u202C", `\u202c`, "\u2066", `\u2066`, "\u0000", `\u0000`).Replace(name)
}

// Names are shown as they are, and do nothing.
func testHostileNames(t *testing.T, b *browser) {
	var yaml strings.Builder
	yaml.WriteString("brokers:\n  eu: {type: rabbitmq, uris: [amqp://eu]}\n  us: {type: rabbitmq, uris: [amqp://us]}\nshovels:\n")
	var names []string
	for i, name := range hostile {
		if strings.ContainsAny(name, "/\x00") {
			continue // no name for a link; a queue and a message-id may have it
		}
		names = append(names, name)
		fmt.Fprintf(&yaml, "  %s: {source: {broker: eu, queue: %s}, destinations: [{broker: us, queue: %s}]",
			quote(name), quote(fmt.Sprint(i, name)), quote(fmt.Sprint(i, name)))
		yaml.WriteString(", overflow: {messages-ready: {start: 10, stop: 2}, for: 0s}}\n")
	}
	s := newSite(t, yaml.String(), loopback, hostileHops{}, func(b map[string]*memory.Broker) {
		for i, name := range hostile {
			for _, broker := range b {
				broker.Declare(fmt.Sprint(i, name), memory.Queue{})
			}
			b["eu"].Put(fmt.Sprint(i, name), many(11)...)
		}
	})
	p := b.open(t, s.url)
	for _, name := range names {
		p.until(row(shown(name), "true"))
	}
	for _, name := range hostile {
		p.until("[...document.querySelectorAll('#hops bdi')].some((e) => e.textContent === " + quote(shown(name)) + ")")
	}
	p.until("document.querySelectorAll('#decisions li').length === 8")

	// A button works on the very link that has the name.
	p.unlock()
	for i, name := range names[:4] {
		p.click(shown(name))
		p.answer(fmt.Sprint("reason ", i))
		p.until(row(shown(name), fmt.Sprintf("row.innerText.includes('reason %d')", i)))
		if _, err := s.Pause(name, name); err != nil {
			t.Error(err)
		}
		p.until(row(shown(name), "row.querySelector('.why').textContent.includes("+quote(shown(name))+")"))
	}
	p.until("window.hacked === undefined && document.scripts.length === 1 && document.images.length === 1")
	p.until("document.querySelectorAll('[onerror], [onload], [onmouseover], [style*=url], iframe, object').length === 0")
	p.until("performance.getEntriesByType('resource').every((e) => e.name.startsWith(location.origin))")
}

// hostileHops are hops with the names of hostile.
type hostileHops struct{}

func (hostileHops) Recent(int) (all []telemetry.Hop) {
	for _, name := range hostile {
		all = append(all, telemetry.Hop{Link: name, Source: name, Destination: name, MessageID: name, Outcome: name, Why: name})
	}
	return all
}

func (h hostileHops) Find(string) []telemetry.Hop { return h.Recent(1) }
