package embedded

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// options are one set a node.
func (s *Server) options(c Config) ([]server.Options, error) {
	users, err := s.users(c.Users)
	if err != nil {
		return nil, err
	}
	cluster, err := clusterOf(c)
	if err != nil {
		return nil, err
	}
	all := make([]server.Options, 0, len(cluster))
	for i, k := range cluster {
		o := server.Options{
			ServerName:             fmt.Sprintf("%s-%d", token(c.Name), i+1),
			JetStream:              true,
			JetStreamDomain:        c.Domain,
			StoreDir:               filepath.Join(c.DataDir, strconv.Itoa(i+1)),
			SyncAlways:             !c.Unsynced,
			MaxPayload:             MaxPayload,
			Users:                  users,
			Cluster:                k.options,
			Routes:                 k.routes,
			NoSigs:                 true,
			DisableJetStreamBanner: true,
			// A node that only this process uses must listen all the same: without clients' listener it forms no cluster.
			Host: "127.0.0.1",
			Port: anyPort(k.port),
		}
		if c.Cluster != nil {
			if o.ServerName, err = c.Cluster.nodeName(); err != nil {
				return nil, err
			}
			o.StoreDir = c.DataDir
		}
		if i == 0 && c.Listen != "" {
			if o.Host, o.Port, err = split(c.Listen); err != nil {
				return nil, fmt.Errorf("listen: %w", err)
			}
		}
		all = append(all, o)
	}
	return all, nil
}

// nodeName tells this node from the others, today and after each restart: by where they reach it. A node that listens on
// all addresses of its host goes by the name of that.
func (k *Cluster) nodeName() (string, error) {
	host, port, err := net.SplitHostPort(k.Listen)
	if err != nil {
		return "", fmt.Errorf("cluster: listen: %w", err)
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return token(k.Name + "-" + k.Listen), nil
	}
	if host, err = os.Hostname(); err != nil {
		return "", fmt.Errorf("cluster: a name for the node that listens on %s: %w", k.Listen, err)
	}
	return token(k.Name + "-" + host + "-" + port), nil
}

// token makes a name that nats-server takes for a server or a cluster: it has no blanks and no dots.
func token(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
}

// users are those declared, and this process.
func (s *Server) users(declared []User) ([]*server.User, error) {
	if len(declared) == 0 {
		return nil, nil
	}
	all := []*server.User{{Username: s.username, Password: s.password}}
	for _, u := range declared {
		password, err := u.Password()
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", u.Username, err)
		}
		all = append(all, &server.User{Username: u.Username, Password: password})
	}
	return all, nil
}

// membership is a node's place in a cluster.
type membership struct {
	options server.ClusterOpts
	routes  []*url.URL
	port    int // for clients; 0 for any
}

// clusterOf gives each node of this process its place.
func clusterOf(c Config) ([]membership, error) {
	switch {
	case c.Cluster != nil:
		m, err := across(c.Cluster)
		return []membership{m}, err
	case c.Nodes <= 1:
		return make([]membership, 1), nil
	}
	// Routes must be known beforehand: the size of a quorum is reckoned from them.
	ports, err := FreePorts(2 * c.Nodes)
	if err != nil {
		return nil, err
	}
	var routes []*url.URL
	for _, port := range ports[:c.Nodes] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	}
	all := make([]membership, c.Nodes)
	for i := range all {
		all[i] = membership{
			options: server.ClusterOpts{Name: token(c.Name), Host: "127.0.0.1", Port: ports[i]}, routes: routes, port: ports[c.Nodes+i],
		}
	}
	return all, nil
}

// across is the place of this process in a cluster across hosts.
func across(k *Cluster) (membership, error) {
	host, port, err := split(k.Listen)
	if err != nil {
		return membership{}, fmt.Errorf("cluster: listen: %w", err)
	}
	m := membership{options: server.ClusterOpts{Name: token(k.Name), Host: host, Port: port}}
	var login *url.Userinfo
	if k.Secret != nil {
		secret, err := k.Secret()
		if err != nil {
			return m, fmt.Errorf("cluster: secret: %w", err)
		}
		m.options.Username, m.options.Password = k.Name, secret
		login = url.UserPassword(k.Name, secret)
	}
	for _, route := range k.Routes {
		m.routes = append(m.routes, &url.URL{Scheme: "nats", Host: route, User: login})
	}
	return m, nil
}

func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, anyPort(port), err
}

// anyPort is port as nats-server takes it, to which 0 is its usual one.
func anyPort(port int) int {
	if port == 0 {
		return server.RANDOM_PORT
	}
	return port
}
