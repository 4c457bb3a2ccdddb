package jetstream

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// names makes NATS names of RabbitMQ's, and reads them back. Both ways are exact: no two names ever become one.
//
//	exchange x, key k   subject [prefix.][vhost.]x.<x>.<k>   stream [prefix_][vhost_]x_<x>
//	queue q             subject [prefix.][vhost.]q.<q>       stream [prefix_][vhost_]q_<q>, durable <q>
//
// Exchange, queue and vhost are one token each (see token). A routing key keeps its dots, and each of its words is a
// token. A subject-prefix must not be the name of another vhost that is used on the same account.
type names struct {
	subjects string // what every subject begins with: prefix and vhost with their dots
	streams  string // what every stream's name begins with
}

// boundedMark comes before the hash in a name that is too long; token never makes it.
const boundedMark = "%~"

// maxName is the longest name that JetStream takes for a stream or a consumer.
const maxName = 255

func newNames(subjectPrefix, vhost string) names {
	var n names
	add := func(subject, stream string) {
		n.subjects += subject + "."
		n.streams += stream + "_"
	}
	if p := strings.Trim(subjectPrefix, "."); p != "" {
		add(p, section(p))
	}
	if vhost != "" && vhost != "/" {
		v := section(vhost)
		add(v, v)
	}
	return n
}

// section is a token that no part of a name after it can be mistaken for: it holds no "_" and is neither "x" nor "q".
func section(s string) string {
	switch s {
	case "x":
		return "%78"
	case "q":
		return "%71"
	}
	return strings.ReplaceAll(token(s), "_", "%5F")
}

func (n names) exchangeSubjects(exchange string) string {
	return n.subjects + "x." + token(exchange) + ".>"
}

func (n names) exchangeStream(exchange string) string {
	return bounded(n.streams + "x_" + token(exchange))
}

func (n names) queueStream(queue string) string { return bounded(n.streams + "q_" + token(queue)) }

// durable is the name of a consumer that belongs to name: a queue, or a link.
func (n names) durable(name string) string { return bounded(token(name)) }

// subject is where a message goes that is published to exchange with key. The default exchange "" leads to the queue
// named key, as in AMQP.
func (n names) subject(exchange, key string) string {
	if exchange == "" {
		return n.subjects + "q." + token(key)
	}
	return n.subjects + "x." + token(exchange) + "." + words(key)
}

// parse is the reverse of subject. ok is false for a subject that these names did not make.
func (n names) parse(subject string) (exchange, key string, ok bool) {
	rest, found := strings.CutPrefix(subject, n.subjects)
	if !found {
		return "", "", false
	}
	if queue, found := strings.CutPrefix(rest, "q."); found {
		key, ok = untoken(queue)
		return "", key, ok
	}
	rest, found = strings.CutPrefix(rest, "x.")
	if !found {
		return "", "", false
	}
	name, rest, found := strings.Cut(rest, ".")
	if !found {
		return "", "", false
	}
	if exchange, ok = untoken(name); !ok {
		return "", "", false
	}
	key, ok = unwords(rest)
	return exchange, key, ok
}

// bounded shortens a name that is too long for JetStream, and keeps it unique by a hash.
func bounded(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := boundedMark + hex.EncodeToString(sum[:8])
	return strings.ToValidUTF8(name[:maxName-len(hash)], "") + hash // without the half of a letter at its end
}
