package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/link"
	"weir/tests/await"
	"weir/tests/built"
	"weir/tests/lab"
)

// Ensure that an operator who switches from RabbitMQ's plugins to weir, in the order of docs/migration.md, loses nothing, and
// that only what is published while both have a queue of their own comes twice.
func TestImportAndSwitchOver(t *testing.T) {
	onVersions(t, func(t *testing.T, broker *lab.Broker) {
		eu, us := newSite(t, broker.VHost(t)), newSite(t, broker.VHost(t))
		byPlugins(eu, us)
		lanes := []*lane{
			{at: eu, queue: "shop", send: us.to("catalog", "item.new"), beside: 2}, // a buffer each
			{at: eu, queue: "work", send: us.to("", "work"), beside: 1},            // both read the same queue
			{at: us, queue: "audit.copy", send: eu.to("", "audit"), beside: 1},     // as above
			{at: us, queue: "log.copy", send: eu.to("log", "key"), beside: 2},      // a queue each, bound to the exchange
		}
		stage := func(name string, times func(*lane) int) {
			for _, l := range lanes {
				l.send(prefixed(name, 50)...)
			}
			for _, l := range lanes {
				l.await(prefixed(name, 50), times(l))
			}
		}
		wantEach := func(name string, times func(*lane) int) {
			<-time.After(quiet)
			for _, l := range lanes {
				l.look()
				l.wantEach(prefixed(name, 50), times(l))
			}
		}
		once := func(*lane) int { return 1 }
		beside := func(l *lane) int { return l.beside }
		for _, l := range lanes {
			l.open()
		}
		stage("plugins", once)
		wantEach("plugins", once)

		yaml := importDefinitions(t, eu, us)
		gateway := built.Start(t, yaml, "RABBIT_PASSWORD="+eu.VHost.Password, "LOCALHOST_PASSWORD="+us.VHost.Password)
		us.pulled("catalog", "item.#")
		for _, name := range []string{"us/exchanges/catalog", "us/queues/work", "audit", "log"} {
			await.That(t, federationLimit, name+" open", func() bool { return gateway.Has(name, link.Running, link.Idle) })
		}
		stage("both", beside)
		wantEach("both", beside)

		for _, l := range lanes {
			l.send(prefixed("meanwhile", 50)...)
		}
		// The plugin deletes its buffer, whatever is in it, and its shovel of an exchange takes its queue with it: by now weir's
		// hold the same.
		for _, parameter := range []string{"federation-upstream/{vhost}/us", "shovel/{vhost}/audit", "shovel/{vhost}/log"} {
			eu.VHost.Do(http.MethodDelete, "parameters/"+parameter, nil)
		}
		us.pulledBy("federation: ", "catalog")
		eu.pulledBy("amq.gen-", "log")
		for _, l := range lanes {
			l.await(prefixed("meanwhile", 50), 1)
		}
		stage("weir", once)

		wantEach("weir", once)
	})
}

// byPlugins moves messages between two sites the plugins' way: an exchange federated by a set, a federated queue, and shovels from a
// queue and from an exchange.
func byPlugins(eu, us site) {
	eu.t.Helper()
	eu.exchange("catalog", "topic")
	eu.queue("shop", "catalog", "item.#")
	eu.exchange("log", "topic")
	for _, name := range []string{"work", "audit"} {
		eu.queue(name, "")
	}
	for _, name := range []string{"work", "audit.copy", "log.copy"} {
		us.queue(name, "")
	}
	away := strings.Replace(us.VHost.URIs()[0], "127.0.0.1", "localhost", 1) // not the name of the local cluster
	home := "amqp:///" + eu.VHost.Name
	eu.VHost.Parameter("federation-upstream", "us", map[string]any{"uri": []string{away}, "reconnect-delay": 1})
	eu.VHost.Parameter("federation-upstream-set", "americas", []any{map[string]any{"upstream": "us", "prefetch-count": 100}})
	eu.VHost.Policy("catalog", "^catalog$", "exchanges", map[string]any{"federation-upstream-set": "americas"})
	eu.VHost.Policy("work", "^work$", "queues", map[string]any{"federation-upstream": "us"})
	eu.VHost.Parameter("shovel", "audit", map[string]any{"src-uri": home, "src-queue": "audit", "dest-uri": away, "dest-queue": "audit.copy"})
	eu.VHost.Parameter("shovel", "log", map[string]any{"src-uri": home, "src-exchange": "log", "src-exchange-key": "#",
		"dest-uri": away, "dest-queue": "log.copy"})
	await.That(eu.t, federationLimit, "federated by the plugin", func() bool { // on the way there it may bind, begin anew, and bind again
		var links []struct{ Exchange, Status string }
		eu.VHost.Get("federation-links/{vhost}", &links)
		return slices.ContainsFunc(links, func(l struct{ Exchange, Status string }) bool {
			return l.Exchange == "catalog" && l.Status == "running"
		})
	})
	us.pulledBy("federation: ", "catalog", "item.#")
	eu.pulledBy("amq.gen-", "log", "#")
}

// to is send for one address.
func (s site) to(exchange, key string) func(bodies ...string) {
	return func(bodies ...string) { s.send(exchange, key, bodies...) }
}

// lane is one of the ways that messages take, to a queue that is consumed.
type lane struct {
	at     site
	queue  string
	send   func(bodies ...string)
	beside int // how often a message comes while the plugins and weir run

	deliveries <-chan amqp.Delivery
	got        map[string]int
}

func (l *lane) open() {
	l.at.t.Helper()
	var err error
	l.got = map[string]int{}
	l.deliveries, err = l.at.VHost.Channel().Consume(l.queue, "", true, false, false, false, nil)
	l.at.must(err)
}

// look counts what has come, until nothing comes for a moment.
func (l *lane) look() {
	for {
		select {
		case d := <-l.deliveries:
			l.got[string(d.Body)]++
		case <-time.After(20 * time.Millisecond):
			return
		}
	}
}

// await waits until each of these has come at least so many times.
func (l *lane) await(bodies []string, times int) {
	l.at.t.Helper()
	await.That(l.at.t, federationLimit, fmt.Sprintf("%s.. %d times in %s", bodies[0], times, l.queue), func() bool {
		l.look()
		return !slices.ContainsFunc(bodies, func(body string) bool { return l.got[body] < times })
	})
}

func (l *lane) wantEach(bodies []string, times int) {
	l.at.t.Helper()
	for _, body := range bodies {
		if n := l.got[body]; n != times {
			l.at.t.Errorf("%s has got %s %d times, want %d", l.queue, body, n, times)
		}
	}
}

// importDefinitions exports what RabbitMQ knows of two sites, in both ways that it has, and has weir make its configuration of
// each. Both come to the same.
func importDefinitions(t *testing.T, eu, us site) (yaml string) {
	t.Helper()
	var whole, single map[string]any
	eu.VHost.Get("definitions", &whole)
	for _, kind := range []string{"parameters", "policies", "exchanges", "queues", "bindings"} {
		all, _ := whole[kind].([]any)
		whole[kind] = slices.DeleteFunc(all, func(one any) bool { // of other tests
			vhost := one.(map[string]any)["vhost"]
			return vhost != eu.VHost.Name && vhost != us.VHost.Name
		})
	}
	eu.VHost.Get("definitions/{vhost}", &single)
	flags := []string{
		"--local", fmt.Sprintf("amqp://%s@127.0.0.1:%d", eu.VHost.Username, eu.VHost.Broker.Nodes[0].AMQP),
		"--management", eu.VHost.Management()[0],
	}
	yaml = runImport(t, whole, flags...)
	// Older versions do not name the cluster in the export of one virtual host.
	if other := runImport(t, single, append(flags, "--site", eu.VHost.Broker.Name)...); other != yaml {
		t.Errorf("from the whole cluster:\n%s\nfrom the virtual host:\n%s", yaml, other)
	}
	if strings.Contains(yaml, us.VHost.Password) {
		t.Errorf("shows a password:\n%s", yaml)
	}
	return yaml
}

func runImport(t *testing.T, definitions map[string]any, flags ...string) string {
	t.Helper()
	data, err := json.Marshal(definitions)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	from, to := filepath.Join(folder, "definitions.json"), filepath.Join(folder, "weir.yaml")
	if err := os.WriteFile(from, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(built.Binary(), append([]string{"import", from, "--to", to}, flags...)...).CombinedOutput(); err != nil {
		t.Fatalf("weir import: %v\n%s", err, out)
	}
	yaml, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(yaml)
}
