package drivers

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/jetstream"
	"weir/configs"
	"weir/internal/brokers"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(m) }

// A message goes through an embedded broker that was opened from its declaration, and nothing is left running.
func TestEmbedded(t *testing.T) {
	d := declared(t, `
brokers:
  dev: {type: embedded, data-dir: `+t.TempDir()+`, users: [{username: app, password: secret}]}
`, "dev")
	b, closeIt, err := Open("test")(t.Context(), d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := broker.Address{Queue: "orders"}
	sink, err := b.OpenSink(ctx, at, broker.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	confirm, err := sink.Send(ctx, &broker.Message{Body: []byte("one")})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-confirm.Done():
	case <-ctx.Done():
	}
	if err := confirm.Err(); err != nil {
		t.Fatal(err)
	}
	source, err := b.OpenSource(ctx, at, broker.SourceOptions{Window: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	if m, err := source.Receive(ctx); err != nil || string(m.Body) != "one" {
		t.Errorf("received %v, %v", m, err)
	}
}

// What is declared reaches the driver, and secrets are read when they are needed.
func TestRabbitMQ(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	d := declared(t, `
brokers:
  eu:
    type: rabbitmq
    uris: [amqps://one, amqps://two]
    vhost: shop
    username: gateway
    password-file: `+secret+`
    tls: {server-name: eu}
    heartbeat: 20s
    management: {uris: [http://one]}
    cluster-name: europe
`, "eu")
	c := rabbit(d, "1.2.3")
	credentials, management := c.Credentials, c.Management.Credentials
	c.TLS, c.Credentials, c.Management.Credentials = nil, nil, nil
	want := amqp.Config{
		Name: "eu", URIs: []string{"amqps://one", "amqps://two"}, VHost: "shop", Mechanism: amqp.Plain, Heartbeat: 20e9,
		Management: amqp.Management{URIs: []string{"http://one"}}, ClusterName: "europe", Version: "1.2.3",
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, rotated := range []string{"first", "second"} {
		write(t, secret, rotated+"\n")
		for what, read := range map[string]amqp.Credentials{"broker": credentials, "management": management} {
			if user, password, err := read(); user != "gateway" || password != rotated || err != nil {
				t.Errorf("%s: %q %q %v, want the password %s", what, user, password, err, rotated)
			}
		}
	}
}

func TestNATS(t *testing.T) {
	d := declared(t, `
brokers:
  ap:
    type: nats
    uris: [tls://one]
    token-file: secret
    vhost: shop
    domain: hub
    subject-prefix: weir
    streams: {replicas: 3, storage: memory, max-bytes: 1MiB, duplicate-window: 5m}
shovels:
  slow: {source: {broker: ap, queue: a}, destinations: [{broker: ap, queue: b}], confirm-timeout: 2m}
`, "ap")
	c := nats(d)
	if c.Token == nil || c.Credentials != nil {
		t.Error("want a token, and no user name")
	}
	c.Token = nil
	want := jetstream.Config{
		Name: "ap", URIs: []string{"tls://one"}, VHost: "shop", Domain: "hub", SubjectPrefix: "weir", ClusterName: "ap",
		Streams:        jetstream.Streams{Replicas: 3, Storage: "memory", MaxBytes: 1 << 20, DuplicateWindow: 300e9},
		ConfirmTimeout: 120e9,
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Certificates are read at each connection: one that has been renewed is used at the next.
func TestTLSFilesAreReadAtEachConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	get := tlsConfig(&configs.TLS{CAFile: ca, ServerName: "example.com"})
	dial := func() error {
		c, err := get()
		if err != nil {
			return err
		}
		conn, err := tls.Dial("tcp", server.Listener.Addr().String(), c)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := dial(); err == nil || !strings.Contains(err.Error(), "read ca-file: open "+ca) {
		t.Errorf("no file: %v", err)
	}
	write(t, ca, "not a certificate")
	if err := dial(); err == nil || err.Error() != "ca-file "+ca+" holds no certificate in PEM form" {
		t.Errorf("no certificate: %v", err)
	}
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	if err := dial(); err != nil {
		t.Errorf("the right certificate: %v", err)
	}
	get = tlsConfig(&configs.TLS{CertFile: ca, KeyFile: ca})
	if _, err := get(); err == nil || !strings.HasPrefix(err.Error(), "read cert-file "+ca+" and key-file "+ca+": ") {
		t.Errorf("a key file without a key: %v", err)
	}
	if tlsConfig(nil) != nil {
		t.Error("nothing declared: want the driver's defaults")
	}
}

// declared finds a broker in a configuration.
func declared(t *testing.T, yaml, name string) brokers.Declared {
	t.Helper()
	cfg, _, err := configs.Parse("weir.yaml", []byte(yaml), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return brokers.Declare(cfg, name)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
