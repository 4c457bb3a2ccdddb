package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// VHost is a vhost of a test's own, with a user of its own. The user may configure, write and read everything in it and nothing
// elsewhere, and use the management API (tags policymaker and monitoring). Its methods fail the test when the broker refuses.
type VHost struct {
	Name     string
	Username string
	Password string
	Broker   *Broker

	t testing.TB
}

// VHost makes a vhost named after the test. It is deleted when the test ends, with its users and all that is in it.
func (b *Broker) VHost(t testing.TB) *VHost {
	t.Helper()
	name := notPlain.ReplaceAllString(t.Name(), "-") + "-" + strings.ToLower(rand.Text()[:6])
	v := &VHost{Name: name, Username: name, Password: "secret", Broker: b, t: t}
	v.Do(http.MethodPut, "vhosts/{vhost}", nil)
	t.Cleanup(func() { v.delete("vhosts/{vhost}") })
	v.user(v.Username, v.Password, "policymaker", "monitoring")
	v.Permit(v.Username, ".*", ".*", ".*")
	return v
}

var notPlain = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// URIs returns an AMQP URI for each node, with user, password and vhost.
func (v *VHost) URIs() []string { return v.Broker.amqp(v.Username, v.Password, v.Name) }

// SecureURIs is URIs over TLS. [Broker.Authority] issued the servers' certificates; a client certificate is welcome, not required.
func (v *VHost) SecureURIs() []string { return v.Broker.amqps(v.Username, v.Password, v.Name) }

// Management returns the base URL of each node's management API, without credentials or a path.
func (v *VHost) Management() []string { return v.Broker.Management() }

// Dial connects to the first node that accepts. The connection is closed when the test ends.
func (v *VHost) Dial() *amqp.Connection {
	v.t.Helper()
	var errs []error
	for _, uri := range v.URIs() {
		conn, err := amqp.Dial(uri)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	v.t.Fatalf("dial vhost %s: %v", v.Name, errors.Join(errs...))
	return nil
}

// Channel opens a channel on a connection of its own.
func (v *VHost) Channel() *amqp.Channel {
	v.t.Helper()
	ch, err := v.Dial().Channel()
	if err != nil {
		v.t.Fatalf("open a channel on vhost %s: %v", v.Name, err)
	}
	return ch
}

// Policy sets a policy, or replaces it. What it applies to: queues, exchanges, all, or the newer words of later versions.
func (v *VHost) Policy(name, pattern, applyTo string, definition map[string]any) {
	v.t.Helper()
	v.Do(http.MethodPut, "policies/{vhost}/"+url.PathEscape(name), map[string]any{"pattern": pattern, "apply-to": applyTo, "definition": definition})
}

// Parameter sets a runtime parameter, for example of the component "shovel" or "federation-upstream".
func (v *VHost) Parameter(component, name string, value any) {
	v.t.Helper()
	path := "parameters/" + url.PathEscape(component) + "/{vhost}/" + url.PathEscape(name)
	v.Do(http.MethodPut, path, map[string]any{"component": component, "vhost": v.Name, "name": name, "value": value})
}

// User makes a user whose name begins with the given one, without any permission in the vhost (see Permit). Tags: none, management,
// policymaker, monitoring, administrator. The user is deleted when the test ends.
func (v *VHost) User(prefix string, tags ...string) (name, password string) {
	v.t.Helper()
	name, password = prefix+"-"+v.Name, "secret"
	v.user(name, password, tags...)
	return name, password
}

func (v *VHost) user(name, password string, tags ...string) {
	v.t.Helper()
	path := "users/" + url.PathEscape(name)
	v.Do(http.MethodPut, path, map[string]any{"password": password, "tags": strings.Join(tags, ",")})
	v.t.Cleanup(func() { v.delete(path) })
}

// Permit sets what a user may configure, write and read in the vhost: regular expressions, "" is nothing.
func (v *VHost) Permit(user, configure, write, read string) {
	v.t.Helper()
	v.Do(http.MethodPut, "permissions/{vhost}/"+url.PathEscape(user), map[string]any{"configure": configure, "write": write, "read": read})
}

// CloseConnections has the broker close the connections of the vhost's own user, as the management page does, and returns how many
// there were. It waits for one: the broker lists a connection a moment after it opens.
func (v *VHost) CloseConnections() int {
	v.t.Helper()
	path := "connections/username/" + url.PathEscape(v.Username)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var connections []struct{}
	err := until(ctx, func() error {
		if v.Get(path, &connections); len(connections) == 0 {
			return fmt.Errorf("%s has no connection to close", v.Username)
		}
		return nil
	})
	if err != nil {
		v.t.Fatal(err)
	}
	v.Do(http.MethodDelete, path, nil)
	return len(connections)
}

// Do calls the management API as administrator. The path comes after /api/, each part escaped; {vhost} in it stands for the vhost.
func (v *VHost) Do(method, path string, body any) {
	v.t.Helper()
	if err := v.request(method, path, body, nil); err != nil {
		v.t.Fatal(err)
	}
}

// Get reads from the management API as Do writes; out is a pointer to what the JSON goes into. It returns false if there is no
// such thing, or the node failed to tell.
func (v *VHost) Get(path string, out any) bool {
	v.t.Helper()
	err := v.request(http.MethodGet, path, nil, out)
	if err != nil && !errors.Is(err, errNotFound) && !errors.Is(err, errFailed) {
		v.t.Fatal(err)
	}
	return err == nil
}

func (v *VHost) request(method, path string, in, out any) error {
	// Not the test's context: cleanup runs after its end.
	return v.Broker.request(context.Background(), method, strings.ReplaceAll(path, "{vhost}", url.PathEscape(v.Name)), in, out)
}

// delete clears up behind a test. On a cluster of the test's own there is no need, and its nodes may be down.
func (v *VHost) delete(path string) {
	if v.Broker.own {
		return
	}
	if err := v.request(http.MethodDelete, path, nil, nil); err != nil {
		v.t.Errorf("clear up: %v", err)
	}
}
