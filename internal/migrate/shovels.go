package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// shovelsWithoutEqual are keys of a shovel that weir has none for, with what it does instead. Those of
// AMQP 1.0 come with shovels that are left out.
var shovelsWithoutEqual = map[string]string{
	"internal":                  "nothing but weir.yaml makes a shovel here",
	"internal_owner":            "nothing but weir.yaml makes a shovel here",
	"src-consumer-name":         "weir names its consumers itself",
	"src-delete-after-duration": "weir ends a shovel by a number of messages only",
}

// shovels takes over the dynamic shovels.
func (i *importer) shovels() {
	for _, p := range i.of("shovel") {
		f, err := newFields(p.Value)
		if err == nil {
			err = possible(f)
		}
		if err != nil {
			i.leaveOut("shovels", p, err)
			continue
		}
		name, place := i.named("shovels", p)
		f.say = i.sayAt(place)
		entry := newBlock()
		i.source(entry, f, name)
		i.destination(entry, f, name)
		if mode := f.word("ack-mode", "on-confirm", "on-publish", "no-ack"); mode != "on-confirm" {
			entry.text("ack-mode", mode)
		}
		deleteAfter(entry, f)
		entry.flag("add-forward-headers", f.flag("dest-add-forward-headers", "add-forward-headers"))
		entry.flag("add-timestamp-header", f.flag("dest-add-timestamp-header", "add-timestamp-header"))
		entry.duration("reconnect-delay", f.duration(time.Second, "reconnect-delay"))
		f.rest(shovelsWithoutEqual)
		i.add("shovels", name, entry.Node)
	}
}

// possible says why a shovel cannot be in the file.
func possible(f fields) error {
	for _, key := range []string{"src-protocol", "dest-protocol"} {
		switch protocol, _ := f.values[key].(string); protocol {
		case "", "amqp091", "local":
		case "amqp10":
			return fmt.Errorf("%s is amqp10, which weir does not speak; where that end is RabbitMQ, write it with queue or exchange", key)
		default:
			return fmt.Errorf("%s is %q, which weir does not know", key, protocol)
		}
	}
	exchange, named := f.values["dest-exchange"].(string)
	if _, key := f.values["dest-exchange-key"]; named && exchange == "" && !key {
		return errors.New(`its dest-exchange is "", with the message's own routing key for the name of a queue: weir publishes to queues by name`)
	}
	return nil
}

// local tells of an end that was inside the cluster.
func local(f fields, key string) {
	if protocol, _ := f.text(key); protocol == "local" {
		f.say("%s was local: messages went inside the cluster, and now go by way of weir", key)
	}
}

func (i *importer) source(to block, f fields, shovel string) {
	local(f, "src-protocol")
	from := newBlock()
	i.unlessLocal(from, "broker", i.brokers.find(f.uris("src-uri"), "/", shovel+"-source"))
	queue, _ := f.text("src-queue")
	exchange, _ := f.text("src-exchange")
	key, _ := f.text("src-exchange-key")
	from.text("queue", queue)
	from.text("exchange", exchange)
	if exchange != "" {
		from.text("routing-key", key)
		f.say("weir reads the exchange through a durable queue, %q; the plugin's queue goes with its connection, and its messages with it",
			"weir: shovel "+i.site+"/"+shovel)
	}
	from.table("queue-args", f.table("src-queue-args"))
	arguments := f.table("src-consumer-args")
	from.table("consumer-args", arguments)
	if arguments["x-stream-offset"] != nil {
		f.say("weir keeps the offset it has come to, and begins at x-stream-offset: set it to what the plugin has not shovelled yet")
	}
	from.whole("prefetch-count", f.whole(1, math.MaxUint16, "src-prefetch-count", "prefetch-count"))
	from.flag("predeclared", f.flag("src-predeclared"))
	to.block("source", from)
}

func (i *importer) destination(to block, f fields, shovel string) {
	local(f, "dest-protocol")
	at := newBlock()
	at.put("broker", i.brokers.find(f.uris("dest-uri"), "/", shovel+"-destination").reference())
	queue, _ := f.text("dest-queue")
	exchange, isExchange := f.text("dest-exchange")
	key, hasKey := f.text("dest-exchange-key")
	predeclared := f.flag("dest-predeclared")
	if isExchange && exchange == "" { // the default exchange, whose routing keys are queues, which it does not declare
		queue, predeclared = key, true
	}
	at.text("exchange", exchange)
	if hasKey && queue == "" {
		at.put("routing-key", text(key)) // also an empty one
	}
	at.text("queue", queue)
	at.table("queue-args", f.table("dest-queue-args"))
	at.flag("predeclared", predeclared)
	at.table("publish-properties", properties(f))
	to.put("destinations", list(0, at.Node))
}

// deleteAfter takes over when a shovel ends.
func deleteAfter(to block, f fields) {
	value, _ := f.take("src-delete-after", "delete-after")
	word, _ := value.(string)
	number, _ := value.(json.Number)
	n, err := number.Int64()
	switch {
	case value == nil, word == "never":
		return
	case word == "queue-length":
		to.text("delete-after", word)
	case err == nil && n > 0:
		to.whole("delete-after", n)
	default:
		f.say("delete-after is left out: weir has never, queue-length or a number of messages")
		return
	}
	f.say("delete-after counts anew whenever weir starts; take the shovel out of this file when it has finished")
}

// properties are what publish-properties may set here.
func properties(f fields) map[string]any {
	given := f.table("dest-publish-properties", "publish-properties")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !isProperty(name, given[name]) {
			f.say("publish-properties: %s is left out: weir cannot set it to that", name)
			delete(given, name)
		}
	}
	return given
}

func isProperty(name string, value any) bool {
	switch name {
	case "delivery_mode", "priority", "timestamp":
		n, ok := value.(json.Number)
		_, err := n.Int64()
		return ok && err == nil
	case "app_id", "content_encoding", "content_type", "correlation_id", "expiration", "message_id", "reply_to", "type", "user_id":
		_, ok := value.(string)
		return ok
	}
	return false
}
