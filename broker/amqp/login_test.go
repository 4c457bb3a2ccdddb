package amqp_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"weir/broker"
	"weir/broker/amqp"
	"weir/broker/brokertest"
	"weir/tests/lab"
)

// each runs a test on a vhost of every version, beside other tests.
func each(t *testing.T, test func(t *testing.T, v *lab.VHost)) {
	t.Parallel()
	for _, version := range lab.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, lab.RabbitMQ(t, version).VHost(t))
		})
	}
}

// Ensure messages go over TLS, the server is verified, and a client certificate is shown when asked for and names the user.
func TestTLS(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		authority := v.Broker.Authority
		for name, c := range map[string]struct {
			mechanism amqp.Mechanism
			tls       *tls.Config
			password  string
			want      error // nil: it works; errAny: no sentinel
		}{
			"TLS":                         {amqp.Plain, trusting(t, authority), v.Password, nil},
			"mutual TLS":                  {amqp.Plain, trusting(t, authority, authority.Issue(t, "anybody")), v.Password, nil},
			"EXTERNAL":                    {amqp.External, trusting(t, authority, authority.Issue(t, v.Username)), "", nil},
			"EXTERNAL, unknown user":      {amqp.External, trusting(t, authority, authority.Issue(t, "nobody")), "", broker.ErrDenied},
			"EXTERNAL, no certificate":    {amqp.External, trusting(t, authority), "", broker.ErrDenied},
			"wrong password":              {amqp.Plain, trusting(t, authority), "wrong", broker.ErrDenied},
			"a server nobody vouches for": {amqp.Plain, trusting(t, lab.NewAuthority(t)), v.Password, errAny},
			"a client nobody vouches for": {amqp.External, trusting(t, authority, lab.NewAuthority(t).Issue(t, v.Username)), "", errAny},
		} {
			t.Run(name, func(t *testing.T) {
				conf := config(v)
				conf.URIs = []string{fmt.Sprintf("amqps://localhost:%d", v.Broker.Nodes[0].AMQPS)}
				conf.Mechanism, conf.Credentials = c.mechanism, login(v.Username, c.password)
				conf.TLS = func() (*tls.Config, error) { return c.tls, nil }
				b := newBroker(t, conf)
				_, err := b.Identity(within(t))
				switch {
				case c.want == nil:
					check(t, err)
					roundTrip(t, b, v)
				case errors.Is(c.want, errAny):
					if err == nil || errors.Is(err, broker.ErrDenied) {
						t.Errorf("got %v, want an error of TLS", err)
					}
				case !errors.Is(err, c.want):
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		}
	})
}

var errAny = errors.New("any error")

// Ensure wrong credentials are told in the broker's words. To a client that cannot take them it says nothing, for 3 s, and hangs up.
func TestWrongPassword(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		conf := config(v)
		conf.Credentials = login(v.Username, "not the password")
		_, err := newBroker(t, conf).Identity(within(t))
		if !errors.Is(err, broker.ErrDenied) || !strings.Contains(err.Error(), "ACCESS_REFUSED") || strings.Contains(err.Error(), "not the password") {
			t.Errorf("got %v", err)
		}
		conf.Credentials, conf.VHost = login(v.Username, v.Password), "no such vhost"
		if _, err := newBroker(t, conf).Identity(within(t)); !errors.Is(err, broker.ErrDenied) {
			t.Errorf("another vhost: got %v", err)
		}
	})
}

// Ensure credentials are asked for anew at each connection, and that an error in getting them is told.
func TestRotatedPassword(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	password, failure := "an old one", error(nil)
	conf := config(v)
	conf.Credentials = func() (string, string, error) { return v.Username, password, failure }
	b := newBroker(t, conf)
	if _, err := b.Identity(within(t)); !errors.Is(err, broker.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	password = v.Password
	_, err := b.Identity(within(t))
	check(t, err)
	failure = errors.New("no such file")
	if _, err := b.OpenSink(within(t), broker.Address{}, broker.SinkOptions{}); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
}

// Ensure a URI without TLS for a port with TLS says what is wrong with it.
func TestPortForTLS(t *testing.T) {
	each(t, func(t *testing.T, v *lab.VHost) {
		conf := config(v)
		conf.URIs = []string{fmt.Sprintf("amqp://127.0.0.1:%d", v.Broker.Nodes[0].AMQPS)}
		if _, err := newBroker(t, conf).Identity(within(t)); err == nil || !strings.Contains(err.Error(), "begin with amqps://") {
			t.Errorf("got %v", err)
		}
	})
}

// Ensure a node that is down, or does not answer, is passed over.
func TestNextNode(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	for name, down := range map[string]string{
		"refused":  "127.0.0.1:1",
		"TLS only": fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQPS),
		"resolves": "no-such-host.invalid:5672",
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(v)
			conf.URIs = append([]string{"amqp://" + down}, conf.URIs...)
			b := newBroker(t, conf)
			roundTrip(t, b, v)
		})
	}
	conf := config(v)
	conf.URIs = []string{"amqp://127.0.0.1:1", "amqp://127.0.0.1:2"}
	if _, err := newBroker(t, conf).Identity(within(t)); err == nil || !strings.Contains(err.Error(), ":1") || !strings.Contains(err.Error(), ":2") {
		t.Errorf("%v does not name both nodes", err)
	}
}

// Ensure a node that does not let us into the vhost is passed over, too: its limit to connections may be its own.
func TestNextNodeAllows(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	v.Permit(v.Broker.Username, ".*", ".*", ".*")
	conf := config(v)
	conf.Credentials = login(v.Broker.Username, v.Broker.Password)
	without := fmt.Sprintf("amqp://127.0.0.1:%d", lab.RabbitMQ(t, "4.0").Nodes[0].AMQP) // it knows the user, and not the vhost
	conf.URIs = []string{without, conf.URIs[0]}
	roundTrip(t, newBroker(t, conf), v)
	conf.URIs = []string{without}
	if _, err := newBroker(t, conf).Identity(within(t)); !errors.Is(err, broker.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
}

// Ensure a broker that falls silent is given up after two heartbeats.
func TestSilence(t *testing.T) {
	t.Parallel()
	v := lab.RabbitMQ(t, "newest").VHost(t)
	proxy := brokertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", v.Broker.Nodes[0].AMQP))
	conf := config(v)
	conf.URIs, conf.Heartbeat = []string{"amqp://" + proxy.Addr()}, time.Second
	b := newBroker(t, conf)
	sink := must(b.OpenSink(within(t), broker.Address{}, broker.SinkOptions{}))(t)
	proxy.Hold()
	defer proxy.Release()
	begin := time.Now()
	await(t, "the end of the session", sink.Lost())
	if took := time.Since(begin); took > 20*time.Second { // twice the heartbeat, and some for a busy machine
		t.Errorf("noticed after %v", took)
	}
	if _, err := sink.Send(within(t), new(broker.Message)); !errors.Is(err, broker.ErrLost) {
		t.Errorf("got %v, want ErrLost", err)
	}
}

// roundTrip sends a message through a queue of its own.
func roundTrip(t *testing.T, b *amqp.Broker, v *lab.VHost) {
	t.Helper()
	at := broker.Address{Queue: "round-trip"}
	sink := must(b.OpenSink(within(t), at, broker.SinkOptions{Link: "link"}))(t)
	send(t, sink, &broker.Message{Body: []byte("hello")}, nil)
	check(t, sink.Close())
	if d, ok := get(t, v.Channel(), at.Queue); !ok || string(d.Body) != "hello" {
		t.Errorf("got %q, %v", d.Body, ok)
	}
}

// send sends one message and compares the answer.
func send(t *testing.T, s broker.Sink, m *broker.Message, want error) {
	t.Helper()
	c := must(s.Send(within(t), m))(t)
	if err := answer(t, c); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func trusting(t *testing.T, authority *lab.Authority, own ...lab.KeyPair) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(authority.CAFile))(t))
	c := &tls.Config{RootCAs: roots}
	for _, pair := range own {
		c.Certificates = append(c.Certificates, must(tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile))(t))
	}
	return c
}
