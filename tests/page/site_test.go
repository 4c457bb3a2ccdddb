package page

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"weir/broker"
	"weir/broker/memory"
	"weir/configs"
	"weir/internal/admin"
	"weir/internal/brokers"
	"weir/internal/gateway"
)

// token opens what a site does not show to everybody.
const token = "a-token-of-this-test"

// site is a gateway on brokers in memory, with its page.
type site struct {
	*gateway.Gateway
	brokers map[string]*memory.Broker
	yaml    string // what a reload reads
	// url is where the page is.
	url string
	// leave ends the page's server, not the gateway.
	leave func()
}

// newSite runs a configuration. before prepares the brokers.
func newSite(t *testing.T, yaml, listen string, hops admin.Hops, before func(b map[string]*memory.Broker)) *site {
	t.Helper()
	folder := t.TempDir()
	settings := configs.Admin{
		Listen: listen, Socket: filepath.Join(folder, "weir.sock"), TokenFile: filepath.Join(folder, "token"),
	}
	if err := os.WriteFile(settings.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{brokers: map[string]*memory.Broker{}, yaml: yaml}
	load := func() (*configs.Config, configs.Problems, error) {
		return configs.Parse("weir.yaml", []byte(s.yaml), os.LookupEnv)
	}
	cfg, warnings, err := load()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	server, err := admin.Listen(settings, log)
	if err != nil {
		t.Fatal(err)
	}
	s.leave = sync.OnceFunc(server.Close)
	for name := range cfg.Brokers {
		s.brokers[name] = memory.New(name)
	}
	before(s.brokers)
	ctx, stop := context.WithCancel(t.Context())
	s.Gateway, err = gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: "weir.yaml", Load: load, Log: log,
		Open: func(_ context.Context, d brokers.Declared, _ *slog.Logger) (broker.Broker, func(), error) {
			return s.brokers[d.Name], func() {}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Serve(s.Gateway, admin.Extras{Hops: hops})
	s.url = "http://" + server.Addr() + "/"
	t.Cleanup(func() {
		stop()
		s.Wait()
		s.leave()
	})
	return s
}
