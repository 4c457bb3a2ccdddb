package lab

import (
	"net/url"
)

// Broker is a running RabbitMQ cluster of one to three nodes, as a test sees it from outside.
type Broker struct {
	Version   string     `json:"version"` // one of Versions
	Release   string     `json:"release"` // 3.10.8
	Name      string     `json:"name"`    // cluster name
	Username  string     `json:"username"`
	Password  string     `json:"password"` // of an administrator of every vhost
	Nodes     []*Node    `json:"nodes"`
	Authority *Authority `json:"authority"` // issued the servers' certificates and is trusted for client certificates

	own bool // of one test, and gone with it
}

// URIs returns an AMQP URI for each node, for the administrator and vhost "/".
func (b *Broker) URIs() []string { return b.amqp(b.Username, b.Password, "/") }

// Management returns the base URL of each node's management API, without credentials or a path.
func (b *Broker) Management() []string {
	var urls []string
	for _, n := range b.Nodes {
		urls = append(urls, "http://"+address(n.Management))
	}
	return urls
}

func (b *Broker) amqp(username, password, vhost string) []string {
	var uris []string
	for _, n := range b.Nodes {
		uris = append(uris, uri("amqp", n.AMQP, username, password, vhost))
	}
	return uris
}

func (b *Broker) amqps(username, password, vhost string) []string {
	var uris []string
	for _, n := range b.Nodes {
		uris = append(uris, uri("amqps", n.AMQPS, username, password, vhost))
	}
	return uris
}

func uri(scheme string, port int, username, password, vhost string) string {
	u := url.URL{Scheme: scheme, Host: address(port), User: url.UserPassword(username, password), Path: "/" + vhost, RawPath: "/" + url.PathEscape(vhost)}
	return u.String()
}
