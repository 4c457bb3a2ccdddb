package migrate

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// login is how weir reaches a virtual host of a cluster, all but its nodes and the password. Two uris of one cluster that
// differ in it are two brokers.
type login struct {
	vhost      string
	username   string // "" for guest with the password guest, and with external
	secure     bool
	external   bool
	heartbeat  time.Duration // 0: the default
	caFile     string
	certFile   string
	keyFile    string
	serverName string
}

// endpoint is what one uri of the plugins says.
type endpoint struct {
	direct  bool   // without a host: the cluster that runs the plugin
	node    string // host:port, to compare; the port is always there
	written string // as a uri of weir.yaml
	login   login
	remarks []string
}

// defaultHeartbeat is RabbitMQ's and weir's.
const defaultHeartbeat = 10 * time.Second

// parse reads a uri as the plugins do (the module amqp_uri of RabbitMQ). A uri without a path means the given vhost. ok is
// false where it cannot be read, also because it is encrypted; nothing of it is ever quoted.
func parse(text, vhost string) (e endpoint, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Scheme != "amqp" && u.Scheme != "amqps" || split(u) {
		return endpoint{}, false
	}
	e.login = login{vhost: vhost, secure: u.Scheme == "amqps"}
	if path, given := strings.CutPrefix(u.EscapedPath(), "/"); given {
		name, err := url.PathUnescape(path)
		if err != nil || strings.Contains(path, "/") {
			return endpoint{}, false
		}
		if e.login.vhost = name; name == "" {
			e.login.vhost = "/"
			e.remark(`a uri ends in "/", which names a virtual host without a name; "/" was taken`)
		}
	}
	password, _ := u.User.Password()
	e.login.username = u.User.Username()
	if strings.HasPrefix(password, encrypted) {
		e.remark("the definitions hold the password encrypted, which weir cannot read")
	}
	if e.login.username == "guest" && password == "guest" {
		e.login.username = "" // the default of both
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		e.remark("some parameters of a uri cannot be read")
	}
	e.parameters(query)
	if e.direct = u.Host == ""; e.direct {
		return e, true
	}
	e.node = net.JoinHostPort(strings.ToLower(u.Hostname()), port(u))
	e.written = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	return e, u.Hostname() != ""
}

// split tells whether a password that was not escaped has split a uri, so that the rest of it looks like a path or a parameter.
func split(u *url.URL) bool {
	return u.Fragment != "" || strings.Contains(u.RawQuery, "@") || u.User == nil && strings.Contains(u.Path, "@")
}

// encrypted begins what RabbitMQ has encrypted with a key of its own.
const encrypted = "encrypted:"

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "amqps":
		return "5671"
	}
	return "5672"
}

func (e *endpoint) remark(format string, args ...any) {
	e.remarks = append(e.remarks, fmt.Sprintf(format, args...))
}

// unequalled are parameters of a uri that weir has no key for, with what it does instead; "" needs no word.
var unequalled = map[string]string{
	"channel_max":              "weir opens the channels it needs, of at most 16 links on one connection",
	"connection_timeout":       "weir waits 15s for a connection",
	"customize_hostname_check": "", // what it asks for is what weir does
	"depth":                    "weir takes a chain of certificates of any length",
	"fail_if_no_peer_cert":     "", // concerns servers
	"frame_max":                "weir asks for 128 KiB",
	"password":                 "weir reads a key without a passphrase only; take the passphrase off",
}

// parameters takes over the query of a uri.
func (e *endpoint) parameters(query url.Values) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(name)
		switch name {
		case "heartbeat":
			e.heartbeat(value)
		case "auth_mechanism":
			e.mechanisms(query[name])
		case "verify", "cacertfile", "certfile", "keyfile", "server_name_indication":
			if !e.login.secure {
				e.remark("%s is left out: the uri is amqp://, without TLS", name)
			}
		default:
			switch instead, known := unequalled[name]; {
			case !known:
				e.remark("the parameter %s of a uri is left out: weir does not know it", name)
			case instead != "":
				e.remark("the parameter %s of a uri is left out: %s", name, instead)
			}
		}
	}
	if e.login.secure {
		e.tls(query)
	}
	if e.login.external && (e.login.certFile == "" || e.login.keyFile == "") {
		e.login.external = false
		e.remark("auth-mechanism: external is left out: it needs certfile and keyfile, which the uri does not give")
	}
	if e.login.external {
		e.login.username = "" // it is in the certificate
	}
}

func (e *endpoint) heartbeat(value string) {
	switch seconds, err := strconv.ParseUint(value, 10, 16); {
	case err != nil || seconds == 0:
		e.remark("heartbeat is left out: weir always has heartbeats, of whole seconds; its own is 10s")
	case time.Duration(seconds)*time.Second != defaultHeartbeat:
		e.login.heartbeat = time.Duration(seconds) * time.Second
	}
}

func (e *endpoint) mechanisms(names []string) {
	for _, name := range names {
		switch strings.ToLower(name) {
		case "external":
			e.login.external = true
		case "plain":
		default:
			e.remark("auth_mechanism %s is left out: weir has plain and external", strconv.Quote(name))
		}
	}
}

func (e *endpoint) tls(query url.Values) {
	e.login.caFile, e.login.certFile, e.login.keyFile = query.Get("cacertfile"), query.Get("certfile"), query.Get("keyfile")
	if (e.login.certFile == "") != (e.login.keyFile == "") {
		e.login.certFile, e.login.keyFile = "", ""
		e.remark("certfile and keyfile are left out: one is there without the other")
	}
	if name := query.Get("server_name_indication"); name == "disable" {
		e.remark("server_name_indication=disable is left out: weir checks that the certificate has the host's name; else give server-name")
	} else {
		e.login.serverName = name
	}
	switch {
	case query.Get("verify") == "verify_none":
		e.remark("verify=verify_none is left out: weir always verifies the broker's certificate; give ca-file where its authority is your own")
	case e.login.caFile == "":
		e.remark("weir verifies the broker's certificate with the system's authorities; give ca-file where its authority is your own")
	}
}
