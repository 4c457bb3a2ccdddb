package migrate

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"go.yaml.in/yaml/v4"
)

// scoped is the name of something in a virtual host of RabbitMQ; those of weir.yaml are of the whole file.
type scoped struct{ vhost, name string }

// upstream is a federation-upstream that has been taken over.
type upstream struct {
	name    string // in the file
	broker  *broker
	renames bool // it names an exchange or a queue
}

// withoutEqual are keys of an upstream that weir has none for, with what it does instead; "" needs no word.
var withoutEqual = map[string]string{
	"bind-nowait":           "weir always sends bindings without waiting for each",
	"channel-use-mode":      "weir reads and binds on channels of their own",
	"consumer-tag":          "weir names its consumers itself",
	"ha-policy":             "RabbitMQ has ignored it for long",
	"resource-cleanup-mode": "", // never is what weir does, default the default
}

// upstreams takes over federation-upstream. All are known before sets and policies are read.
func (i *importer) upstreams() {
	for _, p := range i.of("federation-upstream") {
		f, err := newFields(p.Value)
		if err != nil {
			i.leaveOut("upstreams", p, err)
			continue
		}
		name, place := i.named("upstreams", p)
		f.say = i.sayAt(place)
		b := i.brokers.find(f.uris("uri"), p.VHost, name)
		b.upstream = true
		u := &upstream{name: name, broker: b}
		entry := newBlock()
		entry.put("broker", b.reference())
		u.renames = upstreamSettings(entry, f, true)
		f.rest(withoutEqual)
		i.byUpstream[scoped{p.VHost, p.Name}] = u
		i.add("upstreams", name, entry.Node)
	}
}

// upstreamSettings takes over what an upstream and a member of a set may say. A member overrides, so that what equals a default
// counts there. renames tells whether it names an exchange or queue.
func upstreamSettings(to block, f fields, defaults bool) (renames bool) {
	notDefault := func(value, byDefault string) string {
		if defaults && value == byDefault {
			return ""
		}
		return value
	}
	exchange, _ := f.text("exchange")
	queue, _ := f.text("queue")
	to.text("exchange", exchange)
	to.text("queue", queue)
	to.whole("prefetch-count", f.whole(1, math.MaxUint16, "prefetch-count"))
	to.text("ack-mode", notDefault(f.word("ack-mode", "on-confirm", "on-publish", "no-ack"), "on-confirm"))
	if _, given := f.values["trust-user-id"]; given && !defaults {
		to.put("trust-user-id", anything(f.flag("trust-user-id")))
	} else {
		to.flag("trust-user-id", f.flag("trust-user-id"))
	}
	if hops := f.whole(1, math.MaxInt32, "max-hops"); hops != 1 || !defaults {
		to.whole("max-hops", hops)
	}
	to.duration("expires", f.duration(time.Millisecond, "expires"))
	to.duration("message-ttl", f.duration(time.Millisecond, "message-ttl"))
	to.text("queue-type", notDefault(f.word("queue-type", "classic", "quorum"), "quorum"))
	to.duration("reconnect-delay", f.duration(time.Second, "reconnect-delay"))
	return exchange != "" || queue != ""
}

// sets takes over federation-upstream-set.
func (i *importer) sets() {
	for _, p := range i.of("federation-upstream-set") {
		var members []json.RawMessage
		switch err := json.Unmarshal(p.Value, &members); {
		case p.Name == "all":
			i.leaveOut("upstream-sets", p, errors.New("RabbitMQ does not look at it: the set all is every upstream"))
			continue
		case err != nil:
			i.leaveOut("upstream-sets", p, errors.New("its value is not a list"))
			continue
		}
		name, place := i.named("upstream-sets", p)
		items := i.members(place, p.VHost, members)
		if len(items) == 0 {
			i.remarks.add("upstream-sets", "%s is left out: no upstream is left in it", place)
			continue
		}
		i.bySet[scoped{p.VHost, p.Name}] = name
		i.add("upstream-sets", name, list(0, items...))
	}
}

// members are the items of a set. RabbitMQ passes over an upstream that there is not, and weir would refuse it.
func (i *importer) members(place, vhost string, values []json.RawMessage) (items []*yaml.Node) {
	type from struct{ upstream, exchange, queue string }
	seen := map[from]bool{}
	for _, value := range values {
		f, err := newFields(value)
		if err != nil {
			i.remarks.add(place, "a member is left out: %v", err)
			continue
		}
		f.say = i.sayAt(place)
		name, _ := f.text("upstream")
		exchange, _ := f.values["exchange"].(string)
		queue, _ := f.values["queue"].(string)
		u, known := i.byUpstream[scoped{vhost, name}]
		key := from{name, exchange, queue}
		switch {
		case !known:
			i.remarks.add(place, "upstream %q is left out: there is none of that name", name)
			continue
		case seen[key]:
			i.remarks.add(place, "upstream %q is left out where it is there a second time", name)
			continue
		case exchange == "" && queue == "" && i.itself(u, vhost):
			i.remarks.add(place, "upstream %q is left out: it leads to this very virtual host", name)
			continue
		}
		seen[key] = true
		item := newLine()
		item.text("upstream", u.name)
		upstreamSettings(item, f, false)
		f.rest(withoutEqual)
		if len(item.Content) == 2 { // nothing differs: the name will do
			items = append(items, text(u.name))
		} else {
			items = append(items, item.Node)
		}
	}
	return items
}

// itself tells whether an upstream leads to the very virtual host that it is set in, and to things of the same name there.
func (i *importer) itself(u *upstream, vhost string) bool {
	return u.broker.local && u.broker.vhost == vhost && !u.renames
}
