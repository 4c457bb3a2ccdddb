package page

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"weir/tests/lab"
)

// patience bounds every wait for the page. A page that is well takes a second or two.
const patience = time.Minute

// browser is a Chromium that runs.
type browser struct{ ctx context.Context }

// startBrowser starts Chromium without a window. It ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(lab.Chromium(t)), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	ctx, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &browser{ctx}
}

// tab is one page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the browser has complained of
}

// open shows url in a new tab.
func (b *browser) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	p := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.problems) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(p.problems, "\n"))
		}
	})
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first step
		t.Fatal(err)
	}
	messages := chromedp.Console(ctx)
	go func() { // ends with ctx
		for m, err := range messages {
			if err != nil {
				return
			}
			p.complain(m)
		}
	}()
	p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	return p
}

// complain notes errors. Answers of the server that are refusals are part of some tests, and shown to people.
func (p *tab) complain(m chromedp.ConsoleMessage) {
	if m.Type != chromedp.ConsoleException && m.Type != "error" || strings.HasPrefix(m.Text, "Failed to load resource") {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, m.Text)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// evaluate asks the page.
func evaluate[T any](p *tab, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits until a condition holds in the page.
func (p *tab) until(condition string) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !evaluate[bool](p, "Boolean("+condition+")"); <-tick.C {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s\nThe page says:\n%s", patience, condition, evaluate[string](p, "document.body.innerText"))
		}
	}
}

// says waits until the first element that matches has a text in it.
func (p *tab) says(selector, text string) {
	p.t.Helper()
	p.until("document.querySelector(" + quote(selector) + ")?.innerText.includes(" + quote(text) + ")")
}

// row is a condition on the row of a link: script sees it as row.
func row(link, script string) string {
	return `[...document.querySelectorAll('#links tbody tr')].some((row) => row.querySelector('th bdi').textContent === ` + quote(link) + " && " + script + ")"
}

// click presses the button of a link's row.
func (p *tab) click(link string) {
	p.t.Helper()
	p.until(row(link, "!row.querySelector('button').hidden"))
	evaluate[chromedp.Void](p, row(link, "(row.querySelector('button').click(), true)"))
}

// answer types into the dialog and sends it.
func (p *tab) answer(text string) {
	p.t.Helper()
	p.until("document.getElementById('ask').open && document.activeElement.id === 'ask-input'")
	p.keys(text + "\r")
}

func (p *tab) keys(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// unlock shows the page the token.
func (p *tab) unlock() {
	p.t.Helper()
	p.says("#unlock", "Unlock buttons")
	p.do(chromedp.Click(chromedp.CSS("#unlock")))
	p.answer(token)
	p.says("#unlock", "Lock buttons")
}

// scheme prefers light or dark.
func (p *tab) scheme(colours string) {
	p.t.Helper()
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}}}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, params); err != nil {
		p.t.Fatal(err)
	}
}

// screenshot is what the whole page looks like.
func (p *tab) screenshot() []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	return shot
}

// quote makes a literal of JavaScript.
func quote(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(literal)
}
