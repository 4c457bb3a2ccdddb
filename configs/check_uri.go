package configs

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// queryKeys are RabbitMQ's uri parameters that are keys of a broker here.
var queryKeys = map[string]string{
	"auth_mechanism":         "auth-mechanism",
	"cacertfile":             "tls.ca-file",
	"certfile":               "tls.cert-file",
	"heartbeat":              "heartbeat",
	"keyfile":                "tls.key-file",
	"server_name_indication": "tls.server-name",
}

// uris checks the nodes of one cluster. at is the block that has the key uris.
func (c *checker) uris(at path, uris []string, schemes ...string) {
	at = at.key("uris")
	switch {
	case len(uris) > 0:
	case c.has(at):
		c.mistake(at, "is empty; list the nodes of the cluster")
	default:
		c.mistake(at, "missing; list the nodes of the cluster")
	}
	for i, text := range uris {
		c.uri(at.index(i), text, schemes)
	}
}

// uri checks one node. No message quotes a uri, or an error of its parser: there may be a password in it.
func (c *checker) uri(at path, text string, schemes []string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || !slices.Contains(schemes, u.Scheme):
		c.mistake(at, "want %s", strings.Join(schemes, "://host:port or ")+"://host:port")
		return
	case u.Hostname() == "":
		c.mistake(at, "there is no host in it")
	}
	if u.Port() != "" && !isPort(u.Port()) {
		c.mistake(at, "a port is a number from 1 to 65535")
	}
	if u.User != nil {
		c.mistake(at, "a uri holds no credentials; write username and password-file (or password) beside uris")
	}
	if u.RawQuery != "" {
		c.mistake(at, "a uri holds no parameters%s", translated(u.Query()))
	}
	if strings.HasPrefix(u.Scheme, "http") { // the management API may be behind a prefix
		return
	}
	if name, found := strings.CutPrefix(u.Path, "/"); found {
		c.mistake(at, "a uri holds no path; %s", vhostFor(name))
	}
}

// isPort tells whether a port can be connected to.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// vhostFor says where the path of a uri belongs. amqp://host/ names the virtual host "", which is hardly ever meant.
func vhostFor(name string) string {
	if name == "" {
		return `remove the "/" at its end (the virtual host is vhost, by default "/")`
	}
	return "write vhost: " + name
}

// translated names the keys for those parameters that have one. Values are not shown: password is such a parameter.
func translated(query url.Values) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if key, ok := queryKeys[name]; ok {
			words = append(words, key+" for "+name)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "; write " + strings.Join(words, ", ")
}
