package configs

import "strings"

func (c *checker) source(at path, s Source) {
	c.checkBrokerOrLocal(at.key("broker"), s.Broker)
	onNATS := c.natsWords(at, s.Broker, "stream", "consumer", "subject")
	c.oneOf(at, "queue", "exchange", "stream", "subject")
	if c.hasAny(at, "stream", "subject") && onNATS && s.Consumer == "" {
		c.mistake(at.key("consumer"), "missing; it names the durable consumer")
	}
	if c.has(at.key("consumer")) && onNATS && !c.hasAny(at, "stream", "subject") {
		c.mistake(at.key("consumer"), "needs stream or subject")
	}
	if c.has(at.key("routing-key")) && !c.has(at.key("exchange")) {
		c.mistake(at.key("routing-key"), "needs exchange: it is the binding key")
	}
}

// oneOf checks that exactly one of the keys of an address is there, and that it names something. A stream and a subject
// go together: the subject is what is read of the stream.
func (c *checker) oneOf(at path, keys ...string) {
	if given := c.atMostOneOf(at, keys...); given == "" {
		c.mistake(at, "names nothing; write %s", strings.Join(keys[:len(keys)-1], ", ")+" or "+keys[len(keys)-1])
	}
}

// atMostOneOf returns the key that is there, or "".
func (c *checker) atMostOneOf(at path, keys ...string) string {
	var first string
	for _, key := range keys {
		switch {
		case !c.has(at.key(key)):
			continue
		case c.places[at.key(key)].empty:
			c.mistake(at.key(key), "is empty; name one or remove the key")
		}
		switch {
		case first == "":
			first = key
		case first != "stream" || key != "subject":
			c.mistake(at.key(key), "%s is there already; a link has one address at each end", first)
		}
	}
	return first
}

// natsWords reports whether a broker is NATS, and finds NATS's words where it is not. RabbitMQ's words are understood
// by both, so that a shovel can move between brokers unchanged.
func (c *checker) natsWords(at path, brokerName string, words ...string) bool {
	b, ok := c.cfg.Brokers[brokerName]
	if !ok || b.Type != RabbitMQ {
		return ok
	}
	for _, word := range words {
		if c.has(at.key(word)) {
			c.mistake(at.key(word), "a word of NATS, and broker %s is rabbitmq; %s", brokerName, rabbitWord[word])
		}
	}
	return false
}

// rabbitWord says what to write on RabbitMQ in place of NATS's words.
var rabbitWord = map[string]string{
	"subject":        "write exchange and routing-key, or queue",
	"stream":         "a stream of RabbitMQ is a queue, read with consumer-args: {x-stream-offset: first}",
	"consumer":       "RabbitMQ names consumers itself",
	"deduplicate-by": "RabbitMQ does not deduplicate",
}

func (c *checker) destination(at path, s Shovel, to Destination) {
	c.checkBroker(at.key("broker"), to.Broker)
	c.natsWords(at, to.Broker, "subject", "deduplicate-by")
	address := c.atMostOneOf(at, "exchange", "queue", "subject")
	if c.has(at.key("routing-key")) && (address == "queue" || address == "subject") {
		c.mistake(at.key("routing-key"), "goes with exchange; %s is the whole address", address)
	}
	if c.has(at.key("queue-args")) && address != "queue" {
		c.mistake(at.key("queue-args"), "needs queue: it is declared with them")
	}
	switch {
	case feeds(to, s.Source):
		c.mistake(at, "is where the source reads: messages would go round for ever")
	case address == "" && to.Broker == s.Source.Broker && to.Broker != "":
		c.mistake(at, "names no exchange, queue or subject: messages keep their exchange "+
			"on the broker they come from, and come straight back")
	}
	c.publishProperties(at.key("publish-properties"), to.PublishProperties)
	if to.Room != nil {
		c.room(at.key("room"), *to.Room)
	}
}
