package amqp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

const (
	// dialTimeout bounds one attempt at one node, until it has let us in.
	dialTimeout = 15 * time.Second
	// connectTimeout is the part of it for TCP: a node that has gone without a word must leave time for the others. The
	// kernel asks at once, after 1 s and after 3 s.
	connectTimeout = 5 * time.Second
	// frameMax is the frame size asked for, RabbitMQ's own default.
	frameMax = 128 << 10
)

// errMute: somebody has taken the connection, who is not the broker or hangs.
var errMute = fmt.Errorf("no answer within %v", dialTimeout)

// dialer connects to the nodes of one cluster.
type dialer struct {
	config Config
	log    *slog.Logger

	mu    sync.Mutex
	nodes []string // in the order in which they are tried
	turn  int      // how many attempts have failed; the next one is at nodes[turn % len(nodes)]
}

func newDialer(c Config, log *slog.Logger) *dialer {
	return &dialer{config: c, log: log, nodes: slices.Clone(c.URIs)}
}

// dial connects to the first node that lets us in. It tries each node once.
func (d *dialer) dial(ctx context.Context, o order) (*amqp091.Connection, *wire, error) {
	var errs []error
	for range len(d.config.URIs) {
		node, turn := d.node()
		conn, w, err := d.connect(ctx, node, o)
		if err == nil {
			return conn, w, nil
		}
		err = fmt.Errorf("connect to %s: %w", redact(node), err)
		// No other node of the cluster knows another password. But each may have a limit of its own to connections.
		if ctx.Err() != nil || errors.Is(err, broker.ErrDenied) && !errors.Is(err, errNotAllowed) {
			return nil, nil, err
		}
		errs = append(errs, err)
		d.failed(turn)
	}
	if len(errs) == 0 {
		return nil, nil, errors.New("the broker has no uris")
	}
	return nil, nil, broker.Join(errs...)
}

// node is the one to try: the one that worked last, or the one after those that failed.
func (d *dialer) node() (node string, turn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes[d.turn%len(d.nodes)], d.turn
}

// failed goes on to the next node, unless somebody else has, and shuffles the nodes after a round.
func (d *dialer) failed(turn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.turn != turn {
		return
	}
	d.turn++
	if d.turn%len(d.nodes) == 0 {
		rand.Shuffle(len(d.nodes), func(i, j int) { d.nodes[i], d.nodes[j] = d.nodes[j], d.nodes[i] })
	}
}

// connect opens an AMQP connection to one node.
func (d *dialer) connect(ctx context.Context, node string, o order) (*amqp091.Connection, *wire, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errMute)
	defer cancel()
	properties := d.properties(o.name())
	auth, err := d.auth(properties)
	if err != nil {
		return nil, nil, err
	}
	scheme, address, err := endpoint(node)
	if err != nil {
		return nil, nil, err
	}
	socket, err := d.socket(ctx, scheme, address)
	if err != nil {
		return nil, nil, err
	}
	// amqp091-go takes no context: when ctx ends, the handshake's next read or write fails.
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	w := newWire(socket)
	w.node = address
	conn, err := amqp091.Open(&frames{wire: w}, amqp091.Config{
		SASL:       []amqp091.Authentication{auth},
		Vhost:      cmp.Or(o.vhost, d.config.VHost),
		FrameSize:  frameMax,
		Heartbeat:  d.config.Heartbeat,
		Locale:     "en_US",
		Properties: properties,
	})
	if ended := !stop(); ended || err != nil {
		_ = w.Close()
		if ended {
			return nil, nil, fmt.Errorf("handshake: %w", context.Cause(ctx))
		}
		return nil, nil, refusal(err, w, conn.Properties)
	}
	if heartbeat := conn.Config.Heartbeat; heartbeat > 0 {
		w.expect(2 * heartbeat)
	}
	d.log.Debug("connected", "node", redact(node), "connection", o.name())
	return conn, w, nil
}

// endpoint is the host and port of a node, with the scheme's own port where its URI has none.
func endpoint(node string) (scheme, address string, err error) {
	u, err := url.Parse(node)
	if err != nil {
		return "", "", errors.New("not a URI") // the error of net/url repeats all of it
	}
	port := u.Port()
	switch {
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return "", "", fmt.Errorf("uri scheme %q is neither amqp nor amqps", u.Scheme)
	case port == "" && u.Scheme == "amqp":
		port = "5672"
	case port == "":
		port = "5671"
	}
	return u.Scheme, net.JoinHostPort(u.Hostname(), port), nil
}

// socket opens the TCP connection, and TLS on it for amqps.
func (d *dialer) socket(ctx context.Context, scheme, address string) (net.Conn, error) {
	tcp := net.Dialer{Timeout: connectTimeout}
	conn, err := tcp.DialContext(ctx, "tcp", address)
	if err != nil || scheme == "amqp" {
		return conn, err
	}
	host, _, _ := net.SplitHostPort(address) // endpoint has joined it
	config, err := tlsConfig(d.config.TLS, host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

func tlsConfig(get func() (*tls.Config, error), host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if get != nil {
		own, err := get()
		if err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		config = own.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	return config, nil
}

// dialTLS is what an http.Transport dials with.
func dialTLS(get func() (*tls.Config, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		config, err := tlsConfig(get, host)
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	}
}

// auth says who we are. properties are those of the connection.
func (d *dialer) auth(properties amqp091.Table) (amqp091.Authentication, error) {
	if d.config.Mechanism == External {
		return frank{&amqp091.ExternalAuth{}, properties}, nil
	}
	username, password, err := d.config.Credentials()
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	return frank{&amqp091.PlainAuth{Username: username, Password: password}, properties}, nil
}

// frank asks the broker to say so when it refuses a login. Without this capability RabbitMQ closes the socket, after 3 s
// and without a word. amqp091-go lists its capabilities before it calls Response, and sends them after.
type frank struct {
	amqp091.Authentication
	properties amqp091.Table
}

// Response implements amqp091.Authentication.
func (f frank) Response() string {
	if capabilities, ok := f.properties["capabilities"].(amqp091.Table); ok {
		capabilities[tells] = true
	}
	return f.Authentication.Response()
}

// properties is what the broker's tools show of a connection. amqp091-go adds the capabilities, connection.blocked among
// them.
func (d *dialer) properties(name string) amqp091.Table {
	p := amqp091.Table{"product": "weir", "platform": "Go", "connection_name": name}
	if d.config.Version != "" {
		p["version"] = d.config.Version
	}
	return p
}

// redact takes everything out of a URI that might be secret.
func redact(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "a malformed URI"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}
