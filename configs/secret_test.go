package configs_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"weir/configs"
)

const planted = "hunter2-correct-horse"

// withSecrets has the planted password in every place that takes one.
const withSecrets = `
site: eu
local: eu
brokers:
  eu:
    type: rabbitmq
    uris: [amqp://eu]
    username: gw
    password: ` + planted + `
    management: {uris: ["http://eu"], username: gw, password: "${env:PLANTED}"}
  dev: {type: embedded, data-dir: d, users: [{username: a, password: ` + planted + `}]}
`

func plantedEnvironment(name string) (string, bool) { return planted, name == "PLANTED" }

// A password must not show, whatever is printed and however.
func TestSecretsDoNotPrint(t *testing.T) {
	cfg, _, err := configs.Parse("weir.yaml", []byte(withSecrets), plantedEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	secret := cfg.Brokers["eu"].Password
	if secret.Reveal() != planted {
		t.Fatal("the password was not read")
	}
	inPrivateField := struct{ s configs.Secret }{secret}
	for _, v := range []any{secret, &secret, *cfg, cfg, cfg.Redacted(), inPrivateField, []configs.Secret{secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
			mustNotShow(t, "fmt "+verb, fmt.Sprintf(verb, v, v))
		}
		for name, marshal := range map[string]func(any) ([]byte, error){
			"JSON": json.Marshal,
			"XML":  xml.Marshal,
			"YAML": func(v any) ([]byte, error) { return yaml.Dump(v) },
		} {
			out, _ := marshal(v) // a value that cannot be marshalled shows nothing
			mustNotShow(t, name, string(out))
		}
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("text", "v", v, slog.Any("group", v))
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("json", "v", v, slog.Any("group", v))
		mustNotShow(t, "slog", logged.String())
	}
	if got := fmt.Sprintf("%v %s", secret, secret.LogValue()); got != "*** ***" {
		t.Errorf("a secret shows as %q", got)
	}
}

// The password stays out of messages, too, wherever it was typed by mistake.
func TestSecretsStayOutOfMessages(t *testing.T) {
	for _, text := range []string{
		"brokers: {eu: {type: rabbitmq, uris: [\"amqp://gw:" + planted + "@eu:port\"]}}",
		"brokers: {eu: {type: rabbitmq, uris: [\"amqp://gw:" + planted + "@eu/%zz\"]}}",
		"brokers: {eu: {type: rabbitmq, uris: \"amqp://gw:" + planted + "@eu\"}}",
		"brokers: {eu: {type: rabbitmq, password: [" + planted + "]}}",
		"brokers: {eu: {type: rabbitmq, password: {" + planted + ": 1}}}",
		"brokers: {eu: {type: rabbitmq, password: *" + planted + "}}",
		"brokers: {eu: {type: rabbitmq, password: !" + planted + " x}}",
		"brokers: {eu: {type: rabbitmq, password: \"" + planted + "\\q\"}}",
		"brokers: {eu: {type: rabbitmq, password: \"${env:PLANTED\"}}",
		"brokers: {eu: {type: rabbitmq, heartbeat: \"${env:PLANTED}\"}}",
		"local: ${env:PLANTED}",
	} {
		_, _, err := configs.Parse("weir.yaml", []byte(text), plantedEnvironment)
		if err == nil {
			t.Errorf("no mistake in %s", text)
			continue
		}
		mustNotShow(t, text, err.Error())
	}
}

func mustNotShow(t *testing.T, how, out string) {
	t.Helper()
	if strings.Contains(out, planted) || strings.Contains(out, fmt.Sprintf("%x", planted)) {
		t.Errorf("%s shows the secret: %s", how, out)
	}
}

// A file is read at each call, so that the next connect uses the password that was rotated in.
func TestSecretFileIsReadEachTime(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("weir.yaml", "brokers: {eu: {type: rabbitmq, uris: [amqp://eu], username: gw, password-file: secret}}")
	write("secret", "first\n")
	cfg, warnings, err := configs.Load(filepath.Join(folder, "weir.yaml"), os.LookupEnv)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	for _, want := range []string{"first", "second"} {
		got, err := cfg.Brokers["eu"].ReadPassword()
		if err != nil || got != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
		write("secret", "second\r\n")
	}
	if err := os.Remove(filepath.Join(folder, "secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Brokers["eu"].ReadPassword(); err == nil || !strings.Contains(err.Error(), "secret: no such file") {
		t.Errorf("a missing file gives %v", err)
	}
}

// Each block that can have a secret in a file reads it from there, beside the configuration.
func TestEverySecretFile(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), "from the file\n")
	cfg, _, err := configs.Parse(filepath.Join(folder, "weir.yaml"), []byte(`
brokers:
  eu:
    type: rabbitmq
    uris: [amqp://eu]
    management: {uris: ["http://eu"], username: gw, password-file: secret}
  ap: {type: nats, uris: [nats://ap], token-file: secret}
  dev:
    type: embedded
    data-dir: data
    users: [{username: a, password-file: secret}]
    cluster: {name: c, listen: "127.0.0.1:1", routes: ["b:1", "c:1"], secret-file: secret}
admin: {token-file: secret}
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() (string, error){
		"management": cfg.Brokers["eu"].Management.ReadPassword,
		"token":      cfg.Brokers["ap"].ReadToken,
		"user":       cfg.Brokers["dev"].Users[0].ReadPassword,
		"cluster":    cfg.Brokers["dev"].Cluster.ReadSecret,
		"admin":      cfg.Admin.ReadToken,
	} {
		if got, err := read(); got != "from the file" || err != nil {
			t.Errorf("%s reads %q, %v", name, got, err)
		}
	}
	if got, err := cfg.Brokers["eu"].ReadPassword(); got != "guest" || err != nil {
		t.Errorf("without a file: %q, %v", got, err)
	}
}

// A file that is not there yet is no reason to refuse a configuration; it may be checked on another machine.
func TestMissingSecretFileIsAWarning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	text := "brokers:\n  eu: {type: rabbitmq, uris: [amqp://eu], username: gw, password-file: nowhere}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := configs.Load(file, os.LookupEnv)
	want := file + ":2:72: warning: brokers.eu.password-file: cannot be read now: no such file or directory"
	if err != nil || warnings.Error() != want {
		t.Errorf("got %v, %v; want %s", warnings, err, want)
	}
}
