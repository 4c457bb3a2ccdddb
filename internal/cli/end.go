package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/configs"
)

// sourceEnd reads BROKER:QUEUE or BROKER:key=value,... as the source of a move.
func sourceEnd(cfg *configs.Config, text string) (configs.Source, error) {
	name, parts, err := end(cfg, text)
	s := configs.Source{Broker: name}
	if err == nil {
		err = set(parts, map[string]*string{
			"queue": &s.Queue, "stream": &s.Stream, "consumer": &s.Consumer, "subject": &s.Subject,
		})
	}
	if err == nil && s.Queue == "" && s.Consumer == "" {
		err = errors.New("name a queue, or stream and consumer")
	}
	return s, err
}

// destinationEnd is sourceEnd for the other end.
func destinationEnd(cfg *configs.Config, text string) (configs.Destination, error) {
	name, parts, err := end(cfg, text)
	d, key := configs.Destination{Broker: name}, ""
	if err == nil {
		err = set(parts, map[string]*string{
			"queue": &d.Queue, "exchange": &d.Exchange, "routing-key": &key, "subject": &d.Subject,
		})
	}
	if key != "" {
		d.RoutingKey = &key
	}
	if err == nil && d.Queue == "" && d.Exchange == "" && d.Subject == "" {
		err = errors.New("name a queue, an exchange or a subject")
	}
	return d, err
}

// part is key=value of an end.
type part struct{ key, value string }

// keys are those an end may have. A name that merely contains "=" or "," is still a name.
var keys = []string{"queue", "exchange", "routing-key", "stream", "consumer", "subject"}

// end splits an end into its broker and its parts. A broker's own name may hold colons.
func end(cfg *configs.Config, text string) (name string, parts []part, err error) {
	known := slices.Sorted(maps.Keys(cfg.Brokers))
	for _, n := range known {
		if strings.HasPrefix(text, n+":") && len(n) > len(name) {
			name = n
		}
	}
	if name == "" {
		return "", nil, fmt.Errorf("want BROKER:QUEUE with one of the configured brokers (%s)", strings.Join(known, ", "))
	}
	for word := range strings.SplitSeq(text[len(name)+1:], ",") {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case ok && slices.Contains(keys, key):
			parts = append(parts, part{key, value})
		case parts == nil:
			parts = []part{{"queue", word}}
		default:
			parts[len(parts)-1].value += "," + word
		}
	}
	return name, parts, nil
}

// set puts the parts in their places.
func set(parts []part, places map[string]*string) error {
	for _, p := range parts {
		place := places[p.key]
		if place == nil {
			return fmt.Errorf("%s does not go with this end; it takes %s", p.key, strings.Join(slices.Sorted(maps.Keys(places)), ", "))
		}
		*place = p.value
	}
	return nil
}
