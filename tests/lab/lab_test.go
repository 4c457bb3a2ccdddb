package lab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"weir/tests/lab"
	"weir/tests/leaks"
)

func TestMain(m *testing.M) { leaks.Verify(lab.Suite{M: m}) }

// Ensure a vhost of each version takes a message and gives it back, and that the broker is of that version.
func TestVHost(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			broker := lab.RabbitMQ(t, version)
			if version != "newest" && !strings.HasPrefix(broker.Release, version+".") {
				t.Errorf("release %s", broker.Release)
			}
			vhost := broker.VHost(t)
			ch := vhost.Channel()
			publish(t, ch, declareQuorum(t, ch), "hello")
			if got := get(t, ch, "orders"); got != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Ensure the helpers for the management API do what they say, and that vhosts are apart.
func TestManagement(t *testing.T) {
	broker := lab.RabbitMQ(t, "3.10")
	vhost, other := broker.VHost(t), broker.VHost(t)
	vhost.Policy("limit", "^orders$", "queues", map[string]any{"max-length": 1})
	ch := vhost.Channel()
	queue := declareQuorum(t, ch)
	publish(t, ch, queue, "first")
	publish(t, ch, queue, "second")
	if got := get(t, ch, queue); got != "second" {
		t.Errorf("got %q in spite of the policy", got)
	}
	if !vhost.Get("queues/{vhost}/orders", nil) || other.Get("queues/{vhost}/orders", nil) {
		t.Error("the queue is not in its vhost, or in another one too")
	}

	reader, password := vhost.User("reader")
	uri := strings.Replace(vhost.URIs()[0], vhost.Username+":"+vhost.Password, reader+":"+password, 1)
	if _, err := amqp.Dial(uri); err == nil {
		t.Error("a user without permissions got in")
	}
	vhost.Permit(reader, "", "", ".*")
	conn, err := amqp.Dial(uri)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}

	vhost.Parameter("shovel", "away", map[string]any{
		"src-uri": "amqp:///" + vhost.Name, "src-queue": "orders", "dest-uri": "amqp:///" + vhost.Name, "dest-queue": "away",
	})
	if !vhost.Get("parameters/shovel/{vhost}/away", nil) {
		t.Error("no shovel")
	}
	vhost.Do(http.MethodDelete, "parameters/shovel/{vhost}/away", nil)
}

// Ensure the broker closes connections on request.
func TestCloseConnections(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			vhost := lab.RabbitMQ(t, version).VHost(t)
			closed := vhost.Dial().NotifyClose(make(chan *amqp.Error, 1))
			if n := vhost.CloseConnections(); n != 1 {
				t.Errorf("closed %d connections", n)
			}
			if err := await(t, "the end of the connection", closed); err == nil || err.Code != amqp.ConnectionForced {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Ensure a client certificate of the broker's authority logs in by its common name, over TLS verified both ways, and that
// a stranger's does not.
func TestTLS(t *testing.T) {
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			broker := lab.RabbitMQ(t, version)
			vhost := broker.VHost(t)
			dial := func(authority *lab.Authority) error {
				conn, err := amqp.DialConfig(vhost.SecureURIs()[0], amqp.Config{
					SASL:            []amqp.Authentication{&amqp.ExternalAuth{}},
					TLSClientConfig: client(t, broker.Authority, authority.Issue(t, vhost.Username)),
				})
				if err != nil {
					return err
				}
				return conn.Close()
			}
			if err := dial(broker.Authority); err != nil {
				t.Error(err)
			}
			if err := dial(lab.NewAuthority(t)); err == nil {
				t.Error("a stranger's certificate was accepted")
			}
		})
	}
}

// Ensure three nodes form a cluster, that a quorum queue outlives one of them, and that this one comes back.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := lab.StartCluster(t, lab.Spec{Version: "3.10", Nodes: 3, Name: "eu"})
	vhost := cluster.VHost(t)
	ch := vhost.Channel()
	publish(t, ch, declareQuorum(t, ch), "before")
	eventually(t, "a queue on three nodes, led by the one that declared it", func() bool {
		got := inspect(vhost)
		return len(got.Online) == 3 && got.Leader == "eu1@localhost"
	})

	cluster.Kill(0)
	eventually(t, "another leader", func() bool { leader := inspect(vhost).Leader; return leader != "" && leader != "eu1@localhost" })
	ch = vhost.Channel()
	if got := get(t, ch, "orders"); got != "before" {
		t.Errorf("got %q", got)
	}
	publish(t, ch, "orders", "while down")

	cluster.Restart(0)
	eventually(t, "the queue on three nodes", func() bool { return len(inspect(vhost).Online) == 3 })
	if got := get(t, vhost.Channel(), "orders"); got != "while down" {
		t.Errorf("got %q", got)
	}
}

// Ensure a paused node answers nobody and goes on afterwards, and that a memory alarm blocks publishers until it is cleared.
func TestFrozenAndBlocked(t *testing.T) {
	t.Parallel()
	cluster := lab.StartCluster(t, lab.Spec{Version: "4.0"})
	conn := cluster.VHost(t).Dial()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue := declareQuorum(t, ch)

	cluster.Pause(0)
	declared := make(chan error, 1)
	go func() {
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		declared <- err
	}()
	select {
	case err := <-declared:
		t.Fatalf("a paused node answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	cluster.Continue(0)
	if err := await(t, "the answer", declared); err != nil {
		t.Error(err)
	}

	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	cluster.MemoryAlarm(0, true)
	eventually(t, "the connection blocked", func() bool { // it learns of an alarm some time after, and is blocked when it publishes next
		if err := ch.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		select {
		case b := <-blocked:
			return b.Active
		default:
			return false
		}
	})
	cluster.MemoryAlarm(0, false)
	if b := await(t, "the end of the block", blocked); b.Active {
		t.Errorf("got %+v", b)
	}
}

func declareQuorum(t *testing.T, ch *amqp.Channel) (name string) {
	t.Helper()
	queue, err := ch.QueueDeclare("orders", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	return queue.Name
}

func publish(t *testing.T, ch *amqp.Channel, queue, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{Body: []byte(body), DeliveryMode: amqp.Persistent})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirm.WaitContext(ctx); !ok || err != nil {
		t.Fatalf("not confirmed: %v", err)
	}
}

func get(t *testing.T, ch *amqp.Channel, queue string) (body string) {
	t.Helper()
	eventually(t, "a message in "+queue, func() bool {
		m, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		body = string(m.Body)
		return ok
	})
	return body
}

type quorumQueue struct {
	Leader string
	Online []string
}

func inspect(vhost *lab.VHost) (queue quorumQueue) {
	vhost.Get("queues/{vhost}/orders", &queue)
	return queue
}

func client(t *testing.T, trusted *lab.Authority, pair lab.KeyPair) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(trusted.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, ServerName: "localhost"}
}

// patience is for what must happen, on a machine that has more to do than it can.
const patience = 2 * time.Minute

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// await waits for what c tells.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
		panic("unreachable")
	}
}
