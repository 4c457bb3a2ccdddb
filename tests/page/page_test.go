// Package page tests the status page in a real browser.
package page

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"weir/broker/memory"
	"weir/internal/telemetry"
)

const loopback = "127.0.0.1:0"

// federated is the link that federation makes of its policy.
const federated = "us/exchanges/catalog"

// regions has links in several states.
const regions = `
site: eu
local: eu
brokers:
  eu: {type: rabbitmq, uris: [amqp://eu], management: {uris: [http://eu]}}
  us: {type: rabbitmq, uris: [amqp://us], management: {uris: [http://us]}}
  ap: {type: nats, uris: [nats://ap]}
  sa: {type: rabbitmq, uris: [amqp://sa]}
upstreams: {us: {broker: us}}
policies: {shared: {pattern: ^catalog$, apply-to: exchanges, definition: {federation-upstream: us}}}
shovels:
  orders-overflow:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}, {broker: ap, queue: orders}]
    overflow: {messages-ready: {start: 1000, stop: 200}, for: 0s}
  audit: {source: {queue: audit}, destinations: [{broker: ap, queue: audit}], heartbeat-interval: 1s}
  invoices: {source: {queue: invoices}, destinations: [{broker: us, queue: invoices}], paused: true}
  returns: {source: {broker: sa, queue: returns}, destinations: [{broker: eu, queue: returns}]}
  stock: {source: {broker: us, queue: stock}, destinations: [{broker: ap, queue: stock}]}
`

// prepare makes queues and an exchange; sa cannot be reached, and stock may not be used.
func prepare(b map[string]*memory.Broker) {
	for _, broker := range b {
		for _, queue := range []string{"orders", "audit", "invoices", "returns", "stock"} {
			broker.Declare(queue, memory.Queue{})
		}
	}
	b["eu"].DeclareExchange("catalog", memory.Topic)
	b["eu"].Declare("shop", memory.Queue{})
	b["eu"].Bind("shop", "catalog", "item.#")
	b["sa"].Down(errors.New("dial tcp 10.3.0.1:5672: connection refused"))
	b["us"].Deny("stock")
}

func TestPage(t *testing.T) {
	b := startBrowser(t)
	for name, test := range map[string]func(*testing.T, *browser){
		"states":        testStates,
		"live":          testLive,
		"buttons":       testButtons,
		"hostile names": testHostileNames,
		"keyboard":      testKeyboard,
		"from afar":     testFromAfar,
		"server leaves": testServerLeaves,
		"looks":         testLooks,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// One look tells what is wrong, and why, in words.
func testStates(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, recent{}, prepare)
	s.brokers["eu"].Put("orders", many(150)...)
	p := b.open(t, s.url)
	p.says("#verdict", "2 of 6 links are down: returns, stock")
	for name, wants := range map[string][]string{
		"audit":           {"idle", "eu queue=audit", "ap queue=audit"},
		"invoices":        {"paused", "waits until somebody resumes it"},
		"orders-overflow": {"shut", "opens at 1000", "us queue=orders, else ap queue=orders"},
		"returns":         {"retrying", "connection refused", "tries again by itself"},
		"stock":           {"denied", "Credentials or permissions"},
		federated:         {"idle", "federation by policy shared, 1 binding", "eu exchange=catalog"},
	} {
		for _, want := range wants {
			p.until(row(name, "row.innerText.includes("+quote(want)+")"))
		}
	}
	p.until("document.title === '(!) weir eu'")
	p.until(row("audit", "/^heartbeat every 1s, the last took .+, back \\d+s ago/.test(row.querySelector('.heartbeat').textContent)"))
	p.until(row("invoices", "row.querySelector('.heartbeat').textContent === ''"))

	// The map says the same, to everybody.
	p.until("document.querySelectorAll('#map .broker').length === 6") // and two for the link between others
	for _, want := range []string{"eu to us: 2 links, 1 paused, 1 shut", "us to eu: us/exchanges/catalog, idle", "sa to eu: returns, retrying", "us to ap: stock, denied", "eu to ap: 2 links, 1 idle, 1 shut"} {
		p.until("document.getElementById('map').getAttribute('aria-label').includes(" + quote(want) + ")")
	}
	p.until("document.querySelectorAll('#map .arrow.down').length === 2")

	// The gauge.
	p.says("#gauges strong", "150")
	p.says("#gauges", "opens at 1,000")
	p.until("document.querySelector('[role=meter]').getAttribute('aria-valuetext') === '150; opens at 1,000, shuts at 200'")

	// The hops.
	p.says("#hops", "order-4711")
	p.says("#hops", "waited 12.4s (jetstream), confirmed in 83 ms, 2 attempts; ready 1200, opens at 1000")

	// Only what needs attention.
	p.do(chromedp.Click(chromedp.CSS("#only-down")))
	p.until("document.querySelectorAll('#links tbody tr').length === 3")
}

// What changes is shown without a reload, and said.
func testLive(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, nil, prepare)
	p := b.open(t, s.url)
	p.until(row("audit", "row.innerText.includes('idle')"))
	evaluate[chromedp.Void](p, `window.said = '';
		new MutationObserver(() => { window.said += document.getElementById('announce').textContent; })
			.observe(document.getElementById('announce'), {childList: true, characterData: true, subtree: true})`)
	if _, err := s.Pause("audit", "new release"); err != nil {
		t.Fatal(err)
	}
	p.until(row("audit", "row.innerText.includes('paused') && row.innerText.includes('new release')"))
	p.until("window.said.includes('audit is paused: new release')")
	s.brokers["eu"].Put("orders", many(1500)...)
	p.until(`/ready 1\d{3}, opens at 1000; to us queue=orders/.test(document.getElementById('decisions').innerText)`) // it may look before all are there
	p.until(row("orders-overflow", "Number(row.querySelector('.confirmed').textContent.replace(',', '')) >= 1300"))
	s.brokers["sa"].Up()
	p.says("#verdict", "1 of 6 links is down: stock")
	s.yaml = strings.Replace(s.yaml, "paused: true", "pasued: true", 1)
	if _, err := s.Reload(); err == nil {
		t.Error("a configuration with a mistake was applied")
	}
	p.says("#problems", "was refused; the one before is in force")
	p.says("#problems", `shovels.invoices: unknown key "pasued"; did you mean "paused"?`)
	p.until("window.said !== undefined") // it is the same document all the time
}

// Buttons are there for who has the token, and do what they say.
func testButtons(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, nil, prepare)
	p := b.open(t, s.url)
	p.until(row("audit", "row.querySelector('button').hidden"))
	p.until("document.querySelector('#gauges .switch').hidden")

	p.do(chromedp.Click(chromedp.CSS("#unlock")))
	p.answer("a-wrong-one")
	p.says("#ask-problem", "This is not the token.")
	p.answer(token)
	p.says("#unlock", "Lock buttons")

	p.click("audit")
	p.answer("by a test")
	p.until(row("audit", "row.innerText.includes('paused') && row.innerText.includes('by a test')"))
	p.click("audit")
	p.until(row("audit", "row.innerText.includes('idle')"))
	p.click(federated)
	p.answer("")
	p.until(row(federated, "row.innerText.includes('paused')"))

	s.brokers["eu"].Put("orders", many(5)...)
	p.do(chromedp.Click(chromedp.CSS("#gauges button[data-mode=on]")))
	p.says("#gauges .says", "open, by hand")
	p.until("document.querySelector('#gauges button[data-mode=on]').getAttribute('aria-pressed') === 'true'")
	p.until(row("orders-overflow", "row.querySelector('.confirmed').textContent === '5'"))

	// The token is nowhere but in memory.
	p.until("localStorage.length + sessionStorage.length === 0 && document.cookie === '' && !location.href.includes('token')")
	p.until("document.getElementById('ask-input').value === ''")
	p.do(chromedp.Click(chromedp.CSS("#unlock")))
	p.until(row("audit", "row.querySelector('button').hidden"))
	p.do(chromedp.Reload())
	p.says("#unlock", "Unlock buttons")
}

// Everything can be done with keys alone, and the focus stays where it is while figures change.
func testKeyboard(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, nil, prepare)
	p := b.open(t, s.url)
	p.until(row("audit", "row.innerText.includes('idle')"))
	focus := func(condition string) string {
		return "(() => { const e = document.activeElement; return " + condition + "; })()"
	}

	p.keys(kb.Tab)
	p.until(focus("e.className === 'skip' && e.getBoundingClientRect().width > 50"))
	p.keys("\r")
	p.until(focus("e.id === 'links'"))

	p.do(chromedp.Focus(chromedp.CSS("#unlock")))
	p.keys("\r")
	p.until("document.getElementById('ask').open")
	p.keys(kb.Escape)
	p.until("!document.getElementById('ask').open")
	p.until(focus("e.id === 'unlock'"))
	p.keys("\r")
	p.answer(token)
	p.says("#unlock", "Lock buttons")

	p.keys(kb.Tab)
	p.until(focus("e.dataset.mode === 'auto' && e.matches(':focus-visible') && getComputedStyle(e).outlineStyle === 'solid'"))
	p.keys(kb.Tab + kb.Tab + kb.Tab)
	p.until(focus("e.id === 'only-down'"))
	p.keys(kb.Tab)
	p.until(focus("e.getAttribute('aria-label') === 'pause audit'"))
	before := evaluate[string](p, "document.getElementById('about').textContent")
	p.until("document.getElementById('about').textContent !== " + quote(before)) // figures have changed
	p.until(focus("e.getAttribute('aria-label') === 'pause audit'"))
	p.keys(" ")
	p.answer("")
	p.until(row("audit", "row.innerText.includes('paused')"))
	p.until(focus("e.getAttribute('aria-label') === 'resume audit'"))

	// Landmarks and names for who does not see the page.
	p.until("document.querySelector('main') && document.querySelector('header') && document.querySelector('footer')")
	p.until("[...document.querySelectorAll('section')].every((s) => s.hasAttribute('aria-label') || document.getElementById(s.getAttribute('aria-labelledby')))")
	p.until("document.querySelector('[role=status][aria-live=polite]')")
	p.until("[...document.querySelectorAll('button, input')].every((e) => e.labels?.length || e.textContent || e.getAttribute('aria-label') || e.closest('dialog'))")
}

// From another host the page asks for the token before it shows anything.
func testFromAfar(t *testing.T, b *browser) {
	s := newSite(t, regions, "0.0.0.0:0", nil, prepare)
	p := b.open(t, strings.Replace(s.url, "[::]", "127.0.0.1", 1))
	p.until("document.getElementById('ask').open")
	if text := evaluate[string](p, "document.body.innerText"); strings.Contains(text, "orders") {
		t.Errorf("told without the token:\n%s", text)
	}
	p.keys(kb.Escape)
	p.says("#verdict", "weir wants its token")
	p.do(chromedp.Click(chromedp.CSS("#unlock")))
	p.answer("a-wrong-one")
	p.says("#ask-problem", "This is not the token.")
	p.answer(token)
	p.says("#verdict", "links are down")
	p.says("#unlock", "Lock buttons")
}

// A page that has lost its weir says so, and does not go on showing that all is well.
func testServerLeaves(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, nil, prepare)
	p := b.open(t, s.url)
	p.says("#live", "live")
	s.leave()
	p.says("#verdict", "No connection to weir: what you see is of")
	p.says("#live", "not connected")
}

// The page fits, on large and small screens, light and dark. What it looks like is kept for people (go test -artifacts).
func testLooks(t *testing.T, b *browser) {
	s := newSite(t, regions, loopback, recent{}, prepare)
	s.brokers["eu"].Put("orders", many(1700)...)
	p := b.open(t, s.url)
	p.unlock()
	p.says("#decisions", "shut")
	papers := map[string]string{}
	for _, colours := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			p.scheme(colours)
			p.do(chromedp.EmulateViewport(width, 900))
			p.until(fmt.Sprintf("document.getElementById('map').clientWidth <= %d && document.querySelectorAll('#map .arrow').length === 5", width))
			p.until("document.documentElement.scrollWidth <= innerWidth")
			p.until("[...document.querySelectorAll('main *')].every((e) => e.closest('svg, thead, .unseen') || e.getBoundingClientRect().right <= innerWidth + 1)")
			papers[colours] = evaluate[string](p, "getComputedStyle(document.documentElement).backgroundColor")
			name := filepath.Join(t.ArtifactDir(), fmt.Sprintf("page-%s-%d.png", colours, width))
			if err := os.WriteFile(name, p.screenshot(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if papers["light"] == papers["dark"] {
		t.Errorf("light and dark are both %s", papers["light"])
	}
}

// many are n bodies.
func many(n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprint("order ", i)
	}
	return bodies
}

// recent is one hop.
type recent struct{}

func (recent) Recent(int) []telemetry.Hop {
	wait := 12.4
	return []telemetry.Hop{{
		At: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Link: "orders-overflow", Kind: "overflow", Source: "eu queue=orders", Destination: "us queue=orders",
		MessageID: "order-4711", WaitSeconds: &wait, WaitFrom: "jetstream", ConfirmSeconds: 0.083, Attempts: 2, Outcome: "forwarded",
		Why: "ready 1200, opens at 1000",
	}}
}

func (r recent) Find(string) []telemetry.Hop { return r.Recent(1) }
