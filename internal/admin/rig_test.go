package admin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/admin"
	"weir/internal/brokers"
	"weir/internal/gateway"
	"weir/internal/telemetry"
	"weir/tests/transcript"
)

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

// hops are one.
type hops struct{}

func (hops) Recent(int) []telemetry.Hop { return []telemetry.Hop{{Link: "orders", MessageID: "an-id"}} }

func (h hops) Find(id string) []telemetry.Hop {
	if id != "an-id" {
		return nil
	}
	return h.Recent(1)
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

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
