package configs

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

func (c *checker) broker(at path, b Broker) {
	c.checkName(at, b.Name)
	if b.Type == "" { // missing or unknown, which has been said
		return
	}
	c.foreignKeys(at, b)
	if b.VHost == "" {
		c.mistake(at.key("vhost"), `is empty; the default virtual host is "/"`)
	}
	c.tls(at.key("tls"), b)
	switch b.Type {
	case RabbitMQ:
		c.rabbit(at, b)
	case NATS:
		c.nats(at, b)
	case Embedded:
		c.embedded(at, b)
	}
	if !slices.Contains([]int{0, 1, 3, 5}, b.Streams.Replicas) {
		c.mistake(at.key("streams").key("replicas"), "must be 1, 3 or 5")
	}
}

// foreignKeys finds keys of another type of broker.
func (c *checker) foreignKeys(at path, b Broker) {
	for _, f := range fields(reflect.TypeFor[Broker]()) {
		if c.has(at.key(f.key)) && !f.on(b.Type) {
			c.mistake(at.key(f.key), "a key of %s brokers; this one is %s", strings.Join(f.brokers, " and "), b.Type)
		}
	}
}

func (c *checker) rabbit(at path, b Broker) {
	c.uris(at, b.URIs, "amqp", "amqps")
	encrypted := 0
	for _, uri := range b.URIs {
		if strings.HasPrefix(strings.ToLower(uri), "amqps:") {
			encrypted++
		}
	}
	switch {
	case b.TLS != nil && encrypted == 0:
		c.mistake(at.key("tls"), "is used with amqps:// uris only")
	case encrypted > 0 && encrypted < len(b.URIs):
		c.mistake(at.key("uris"), "mixes amqp:// and amqps://, and would fall back to an unencrypted node")
	}
	if b.Heartbeat%time.Second != 0 {
		c.mistake(at.key("heartbeat"), "must be whole seconds")
	}
	if b.AuthMechanism == External {
		if b.TLS == nil || b.TLS.CertFile == "" {
			c.mistake(at.key("auth-mechanism"), "external needs tls: {cert-file, key-file}")
		}
		for _, key := range []string{"password", "password-file"} {
			if c.has(at.key(key)) {
				c.mistake(at.key(key), "is not used; auth-mechanism: external shows the client certificate")
			}
		}
	} else {
		c.login(at)
	}
	if b.Management != nil {
		management := at.key("management")
		c.uris(management, b.Management.URIs, "http", "https")
		c.login(management)
		if b.Management.Username == "" && b.AuthMechanism == External {
			c.mistake(management.key("username"), "missing; the API takes no client certificate in place of a password")
		}
	}
}

// unmanaged tells whether a broker is a RabbitMQ whose management API is not declared.
func (c *checker) unmanaged(name string) bool {
	return c.cfg.Brokers[name].Type == RabbitMQ && !c.has(path("brokers").key(name).key("management"))
}

func (c *checker) nats(at path, b Broker) {
	c.uris(at, b.URIs, "nats", "tls", "ws", "wss")
	c.login(at)
	var given []string
	for _, key := range []string{"username", "creds-file", "nkey-file", "token-file"} {
		if c.has(at.key(key)) {
			given = append(given, key)
		}
	}
	if len(given) > 1 {
		c.mistake(at.key(given[1]), "one way to log in is enough; %s is there already", given[0])
	}
	c.subjectPrefix(at, b)
}

// subjectPrefix checks what goes in front of subjects: tokens without wildcards.
func (c *checker) subjectPrefix(at path, b Broker) {
	prefix := b.SubjectPrefix
	if prefix == "" {
		return
	}
	if strings.ContainsAny(prefix, "*> \t\r\n") || slices.Contains(strings.Split(prefix, "."), "") {
		c.mistake(at.key("subject-prefix"), `must be words with dots between them, without "*" and ">"`)
	}
}

// login checks a username and its password, which the file gives in one way.
func (c *checker) login(at path) {
	user, inline, file := at.key("username"), at.key("password"), at.key("password-file")
	switch {
	case c.has(inline) && c.has(file):
		c.mistake(file, "password is there already; write one of the two")
	case c.hasAny(at, "password", "password-file") && !c.has(user):
		c.mistake(user, "missing; there is a password")
	case c.has(user) && !c.hasAny(at, "password", "password-file"):
		c.mistake(inline, "missing; write password: ${env:NAME} or password-file")
	}
}

func (c *checker) tls(at path, b Broker) {
	if b.TLS == nil {
		return
	}
	switch cert, key := at.key("cert-file"), at.key("key-file"); {
	case b.TLS.CertFile != "" && b.TLS.KeyFile == "":
		c.mistake(key, "missing; cert-file needs it")
	case b.TLS.KeyFile != "" && b.TLS.CertFile == "":
		c.mistake(cert, "missing; key-file needs it")
	}
}
