package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/admin"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/internal/telemetry"
	"weir/link"
	"weir/tests/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const declared = `
site: eu
local: eu
brokers:
  eu:
    type: rabbitmq
    uris: [amqp://eu]
    username: weir
    password: PLANTED-inline
    management: {uris: [http://eu], username: weir, password: PLANTED-management}
  us: {type: rabbitmq, uris: [amqp://us], username: weir, password: "${env:PLANTED}"}
  ap: {type: nats, uris: [nats://ap], username: weir, password-file: secret}
  in: {type: embedded, data-dir: data, users: [{username: app, password: PLANTED-user}]}
shovels:
  orders:
    source: {queue: orders}
    destinations: [{broker: us, queue: orders}]
    overflow: {messages-ready: {start: 10, stop: 2}}
  "odd name%2F?":
    source: {queue: odd}
    destinations: [{broker: us, queue: odd}]
`

// rig is a server under test, with a gateway behind it.
type rig struct {
	t      *testing.T
	yaml   string
	folder string
	client *admin.Client // over the socket
	http   string        // the address of the other listener
	close  func()        // ends the server, not the gateway

	log transcript.Buffer
}

// newRig runs declared. token is what the token-file holds; empty: there is none.
func newRig(t *testing.T, token string) *rig {
	t.Helper()
	return newRigAt(t, "127.0.0.1:0", token)
}

func newRigAt(t *testing.T, listen, token string) *rig {
	t.Helper()
	folder := t.TempDir()
	r := &rig{t: t, yaml: declared, folder: folder}
	write(t, filepath.Join(folder, "secret"), "PLANTED-file\n")
	settings := configs.Admin{Listen: listen, Socket: filepath.Join(folder, "weir.sock")}
	if token != "" {
		settings.TokenFile = filepath.Join(folder, "token")
		write(t, settings.TokenFile, token+"\n")
	}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server, err := admin.Listen(settings, log)
	if err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	known := map[string]*memory.Broker{}
	g, err := gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: "weir.yaml", Load: r.load, Log: log,
		Open: func(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
			if known[d.Name] == nil {
				known[d.Name] = memory.New(d.Name)
			}
			return known[d.Name], func() {}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	tele, err := telemetry.New(ctx, cfg, telemetry.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	server.Serve(g, admin.Extras{
		Metrics: tele.Handler(func() telemetry.Snapshot { return telemetry.Snapshot{Links: g.Status().Links} }),
		Hops:    hops{},
	})
	r.client, r.http, r.close = admin.NewClient(settings.Socket), server.Addr(), sync.OnceFunc(server.Close)
	t.Cleanup(func() {
		cancel()
		g.Wait()
		r.close()
		_ = tele.Shutdown(context.WithoutCancel(ctx))
	})
	return r
}

func (r *rig) load() (*configs.Config, configs.Problems, error) {
	return configs.Parse(filepath.Join(r.folder, "weir.yaml"), []byte(r.yaml), func(name string) (string, bool) {
		return "PLANTED-variable", name == "PLANTED"
	})
}

// ask sends a request over HTTP; with header, "Name: value".
func (r *rig) ask(method, path, body string, headers ...string) (status int, answer string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.http+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ready waits until the state of each link is known.
func (r *rig) ready() {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		status, answer := r.ask("GET", "/readyz", "")
		if status == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatalf("not ready within a minute: %s", answer)
		}
	}
}

func TestReads(t *testing.T) {
	r := newRig(t, "")
	r.ready()
	for path, want := range map[string]string{
		"/":                             "<title>weir</title>",
		"/page.js":                      "import",
		"/api/snapshot":                 `"text": "`,
		"/api/hops":                     `"message-id": "an-id"`,
		"/api/hops/an-id":               `"message-id": "an-id"`,
		"/api/hops/another":             `[]`,
		"/metrics":                      `weir_in_flight{destination="us",kind="overflow",link="orders",source="eu"} 0`,
		"/healthz":                      `"status": "ok"`,
		"/readyz":                       `"status": "ok"`,
		"/api/links":                    `"name": "orders"`,
		"/api/links/orders":             `"kind": "overflow"`,
		"/api/links/odd%20name%252F%3F": `"name": "odd name%2F?"`,
		"/api/config":                   `"password": "***"`,
		"/api/topology":                 `"from": "eu"`,
	} {
		if status, answer := r.ask("GET", path, ""); status != http.StatusOK || !strings.Contains(answer, want) {
			t.Errorf("%s: %d, without %s:\n%s", path, status, want, answer)
		}
	}
}

// hops are one.
type hops struct{}

func (hops) Recent(int) []telemetry.Hop { return []telemetry.Hop{{Link: "orders", MessageID: "an-id"}} }

func (h hops) Find(id string) []telemetry.Hop {
	if id != "an-id" {
		return nil
	}
	return h.Recent(1)
}

// An error is JSON, whatever is wrong.
func TestErrors(t *testing.T) {
	r := newRig(t, "token")
	for request, want := range map[string]struct {
		status int
		error  string
	}{
		"GET /nothing":                                     {404, "GET /nothing: Not Found"},
		"GET /api/links/nothing":                           {404, `no such link: "nothing"`},
		"DELETE /api/links/orders":                         {405, "DELETE /api/links/orders: Method Not Allowed"},
		"GET /api/reload":                                  {405, "GET /api/reload: Method Not Allowed"},
		"POST /api/shovels/orders/overflow/half":           {404, `overflow is on, off or auto, not "half"`},
		"POST /api/shovels/odd%20name%252F%3F/overflow/on": {400, `"odd name%2F?" has no thresholds to override: no overflow shovel`},
		"POST /api/leftovers/remove":                       {400, `want {"broker": "...", "name": "...", "force": false}: EOF`},
		"POST /api/links/nothing/resume":                   {404, `no such link: "nothing"`},
	} {
		method, path, _ := strings.Cut(request, " ")
		status, answer := r.ask(method, path, "", "Authorization: Bearer token")
		expectFailure(t, request, status, answer, want.status, want.error)
	}
}

func expectFailure(t *testing.T, request string, status int, answer string, wantStatus int, want string) {
	t.Helper()
	var got struct{ Error string }
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Errorf("%s: %v in %q", request, err, answer)
	}
	if status != wantStatus || got.Error != want {
		t.Errorf("%s: %d %q, want %d %q", request, status, got.Error, wantStatus, want)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t, "token")
	for body, want := range map[string]struct {
		status int
		error  string
	}{
		`{"reason": "` + strings.Repeat("x", 1001) + `"}`:  {413, "a reason may have 1000 bytes"},
		`{"reason": "` + strings.Repeat("x", 1<<20) + `"}`: {413, "a reason may have 1000 bytes"},
		`{"raeson": "typo"}`:                               {400, `want {"reason": "..."}, or no body: json: unknown field "raeson"`},
	} {
		status, answer := r.ask("POST", "/api/links/orders/pause", body, "Authorization: Bearer token")
		expectFailure(t, body[:15], status, answer, want.status, want.error)
	}
}

// What the command line does, over the socket, which needs no token.
func TestClient(t *testing.T) {
	r := newRig(t, "")
	ctx := t.Context()
	if s, err := r.client.Pause(ctx, "orders", "new release"); err != nil || s.Name != "orders" {
		t.Errorf("pause: %v, %v", s.Name, err)
	}
	paused := func() bool {
		s, err := r.client.Link(ctx, "orders")
		return err == nil && s.State == link.Paused && s.Reason == "new release"
	}
	eventually(t, "the link is paused", paused)
	if _, err := r.client.Resume(ctx, "orders"); err != nil {
		t.Errorf("resume: %v", err)
	}
	eventually(t, "the link is resumed", func() bool { return !paused() })
	if s, err := r.client.Override(ctx, "orders", link.Off); err != nil || s.Overflow.Mode != link.Off {
		t.Errorf("override: %v", err)
	}
	if _, err := r.client.Pause(ctx, "odd name%2F?", ""); err != nil {
		t.Errorf("pause of an odd name: %v", err)
	}
	if s, err := r.client.Status(ctx); err != nil || len(s.Links) != 2 || s.Site != "eu" {
		t.Errorf("status: %+v, %v", s, err)
	}
	if c, err := r.client.Reload(ctx); err != nil || len(c.Kept) != 2 {
		t.Errorf("reload: %+v, %v", c, err)
	}
	var refusal *admin.Refusal
	if _, err := r.client.Link(ctx, "nothing"); !errors.As(err, &refusal) || refusal.Status != http.StatusNotFound {
		t.Errorf("a link that does not exist: %v", err)
	}
}

// A reload that is refused tells every mistake, with its line.
func TestReloadTellsMistakes(t *testing.T) {
	r := newRig(t, "")
	r.yaml = strings.Replace(declared, "broker: us", "broker: su", 2)
	var refusal *admin.Refusal
	if _, err := r.client.Reload(t.Context()); !errors.As(err, &refusal) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range refusal.Problems {
		got = append(got, strings.TrimPrefix(p.String(), r.folder+"/"))
	}
	want := []string{
		`weir.yaml:17:29: shovels.orders.destinations[0].broker: no broker "su"; did you mean "us"?`,
		`weir.yaml:21:29: shovels."odd name%2F?".destinations[0].broker: no broker "su"; did you mean "us"?`,
	}
	if d := cmp.Diff(want, got[len(got)-2:]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if s, err := r.client.Status(t.Context()); err != nil || s.Config.Rejected == nil || len(s.Config.Rejected.Problems) != len(got) {
		t.Errorf("status: %+v, %v", s.Config, err)
	}
}

// Secrets are planted everywhere a configuration can hold one; nothing that weir says may hold them.
func TestNothingTellsSecrets(t *testing.T) {
	r := newRig(t, "PLANTED-token")
	bearer := "Authorization: Bearer PLANTED-token"
	var said strings.Builder
	say := func(method, path string) {
		_, answer := r.ask(method, path, "", bearer)
		said.WriteString(answer)
	}
	for _, path := range []string{
		"/", "/page.js", "/healthz", "/readyz", "/metrics", "/api/links", "/api/links/orders", "/api/config", "/api/topology",
		"/api/snapshot", "/api/hops", "/api/hops/orders", "/api/leftovers", "/nothing",
	} {
		say("GET", path)
	}
	for _, path := range []string{"/api/links/orders/pause", "/api/links/orders/resume", "/api/shovels/orders/overflow/on", "/api/reload"} {
		say("POST", path)
	}
	r.yaml = strings.Replace(declared, "uris: [amqp://eu]", `uris: ["amqp://weir:PLANTED-uri@eu"]`, 1)
	say("POST", "/api/reload")
	say("GET", "/api/links")
	_, answer := r.ask("GET", "/api/links", "", "Authorization: Bearer PLANTED-wrong")
	said.WriteString(answer)
	for what, text := range map[string]string{"an answer": said.String(), "the log": r.log.String()} {
		if at := strings.Index(text, "PLANTED"); at >= 0 {
			t.Errorf("%s tells a secret: ...%s", what, text[max(0, at-100):min(len(text), at+50)])
		}
	}
	if !strings.Contains(said.String(), "***") || !strings.Contains(r.log.String(), "orders") {
		t.Error("nothing was said at all: the test looks in the wrong place")
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
