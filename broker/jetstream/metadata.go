package jetstream

import (
	"strconv"
	"strings"
	"time"
)

// metadata is what the subject for acks says about a delivery.
type metadata struct {
	delivered uint64 // how often, from 1
	stream    uint64 // its sequence in the stream
	consumer  uint64 // its sequence among all deliveries of the consumer
	stored    time.Time
}

// parseReply reads a subject for acks, in either of its forms:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns since 1970>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>.…  with further tokens at the end
func parseReply(reply string) (m metadata, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return m, false
	}
	skip := 2
	if strings.Count(rest, ".") > 6 {
		skip = 4
	}
	for range skip {
		if _, rest, ok = strings.Cut(rest, "."); !ok {
			return m, false
		}
	}
	var stored uint64
	for _, to := range []*uint64{&m.delivered, &m.stream, &m.consumer, &stored} {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		n, err := strconv.ParseUint(token, 10, 64)
		if err != nil {
			return m, false
		}
		*to = n
	}
	m.stored = time.Unix(0, int64(stored))
	return m, true
}
