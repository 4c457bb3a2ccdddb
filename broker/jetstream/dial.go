package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	handshakeTimeout = 10 * time.Second // for each server: connect, TLS, log in
	writeTimeout     = 10 * time.Second // a write that takes longer ends the connection
	pingInterval     = 10 * time.Second // two unanswered pings end the connection
	writeBuffer      = 128 << 10        // what gathers before publishers write it themselves
)

// dial opens one connection. use says in the server's tools what it is for.
func (b *Broker) dial(ctx context.Context, use string) (*conn, error) {
	c, err := b.connect(ctx, use)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(b.shownURIs(), ", "), err)
	}
	return c, nil
}

func (b *Broker) connect(ctx context.Context, use string) (*conn, error) {
	c := newConn()
	options, err := b.options(use)
	if err != nil {
		return nil, err
	}
	dialer := &contextDialer{ctx: ctx, inProcess: b.config.InProcess}
	defer dialer.done()
	if b.config.InProcess != nil {
		options.InProcessServer = dialer
	} else {
		options.CustomDialer = dialer
	}
	options.ClosedCB = c.onClosed
	options.AsyncErrorCB = c.onError
	nc, err := options.Connect()
	if ctx.Err() != nil {
		if err == nil {
			nc.Close()
			<-c.lost
		}
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if errors.Is(err, nats.ErrNoServers) && dialer.failed != nil { // which says nothing of what happened
			err = dialer.failed
		}
		if bad, ok := errors.AsType[*url.Error](err); ok {
			err = bad.Err // without the URI, which may hold a password
		}
		return nil, classify(err)
	}
	if u, err := url.Parse(nc.ConnectedUrl()); err == nil && b.config.InProcess == nil {
		c.node = u.Host // nats.go has filled in the port
	}
	if err := c.use(nc, b.config.Domain); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// options are nats.go's, with everything off that would hide a fault: no reconnects, no buffering while away.
func (b *Broker) options(use string) (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.Name = strings.TrimSpace("weir " + use)
	o.Servers = b.config.URIs
	o.AllowReconnect = false
	o.ReconnectOnFlusherError = true // without reconnects: a failed write closes the connection
	o.IgnoreDiscoveredServers = true
	o.SkipHostLookup = true // left to the dialer, which heeds its context
	o.Timeout, o.FlusherTimeout = handshakeTimeout, writeTimeout
	o.PingInterval, o.MaxPingsOut = pingInterval, 2
	o.WriteBufferSize = writeBuffer
	if b.config.TLS != nil {
		config, err := b.config.TLS()
		if err != nil {
			return o, err
		}
		o.Secure, o.TLSConfig = true, config
	}
	return o, b.logIn(&o)
}

func (b *Broker) logIn(o *nats.Options) (err error) {
	switch c := b.config; {
	case c.CredsFile != "":
		return nats.UserCredentials(c.CredsFile)(o)
	case c.NKeyFile != "":
		option, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return fmt.Errorf("read %s: %w", c.NKeyFile, err)
		}
		return option(o)
	case c.Token != nil:
		o.Token, err = c.Token()
	case c.Credentials != nil:
		o.User, o.Password, err = c.Credentials()
	}
	return err
}

// shownURIs are the URIs without credentials and query; in process, one with the name of the broker.
func (b *Broker) shownURIs() []string {
	if b.config.InProcess != nil {
		return []string{"nats://" + url.PathEscape(b.config.Name)}
	}
	shown := make([]string, len(b.config.URIs))
	for i, s := range b.config.URIs {
		shown[i] = shownURI(s)
	}
	return shown
}

func shownURI(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "a URI that cannot be read"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// contextDialer lends a context to nats.Connect, which takes none: when it ends, the connection being made is closed.
type contextDialer struct {
	ctx       context.Context
	inProcess nats.InProcessConnProvider
	stop      []func() bool
	failed    error // the last dial that did, nil: none since the one that did not
}

// Dial implements nats.CustomDialer.
func (d *contextDialer) Dial(network, address string) (net.Conn, error) {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(d.ctx, handshakeTimeout)
	defer cancel()
	c, err := dialer.DialContext(ctx, network, address)
	return d.watch(c, err)
}

// InProcessConn implements nats.InProcessConnProvider.
func (d *contextDialer) InProcessConn() (net.Conn, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	c, err := d.inProcess.InProcessConn()
	return d.watch(c, err)
}

func (d *contextDialer) watch(c net.Conn, err error) (net.Conn, error) {
	d.failed = err
	if err == nil {
		d.stop = append(d.stop, context.AfterFunc(d.ctx, func() { c.Close() }))
	}
	return c, err
}

// done ends the watch: the connection has been made, or not.
func (d *contextDialer) done() {
	for _, stop := range d.stop {
		stop()
	}
}
