package jetstream

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"weir/broker"
)

// Properties travel as headers of their own, readable by any NATS client. One whose value NATS does not carry unchanged
// goes into the typed table oddHeader, under the same name.
const (
	contentType     = ownPrefix + "Content-Type"
	contentEncoding = ownPrefix + "Content-Encoding"
	deliveryMode    = ownPrefix + "Delivery-Mode"
	priority        = ownPrefix + "Priority"
	correlationID   = ownPrefix + "Correlation-Id"
	replyTo         = ownPrefix + "Reply-To"
	expiration      = ownPrefix + "Expiration" // never Nats-TTL: a stream that does not allow it refuses the message
	messageID       = ownPrefix + "Message-Id"
	timestamp       = ownPrefix + "Timestamp" // seconds since 1970
	messageType     = ownPrefix + "Type"
	userID          = ownPrefix + "User-Id"
	appID           = ownPrefix + "App-Id"

	oddHeader = ownPrefix + "Properties"

	// Exchange and routing key of a message whose subject does not say them: it came by AMQP and was sent to a subject
	// that the operator named. A later hop that keeps the original address finds them here.
	originExchange   = ownPrefix + "Exchange"
	originRoutingKey = ownPrefix + "Routing-Key"
)

// encoder makes NATS headers of messages. It reuses its memory: what encode returns is good until the next call.
type encoder struct {
	header nats.Header
	values []string
	odd    broker.Table
}

// encode makes the headers of m. withAddress adds its exchange and routing key. An error concerns this message alone.
func (e *encoder) encode(m *broker.Message, withAddress bool) (nats.Header, error) {
	if e.header == nil {
		e.header = make(nats.Header)
	}
	clear(e.header)
	e.values, e.odd = e.values[:0], nil

	p := &m.Properties
	e.property(contentType, p.ContentType)
	e.property(contentEncoding, p.ContentEncoding)
	e.number(deliveryMode, int64(p.DeliveryMode))
	e.number(priority, int64(p.Priority))
	e.property(correlationID, p.CorrelationID)
	e.property(replyTo, p.ReplyTo)
	e.property(expiration, p.Expiration)
	e.property(messageID, p.MessageID)
	if !p.Timestamp.IsZero() {
		e.set(timestamp, strconv.FormatInt(p.Timestamp.Unix(), 10))
	}
	e.property(messageType, p.Type)
	e.property(userID, p.UserID)
	e.property(appID, p.AppID)
	if withAddress {
		e.text(originExchange, m.Exchange)
		e.text(originRoutingKey, m.RoutingKey)
	}
	if err := e.table(oddHeader, e.odd); err != nil {
		return nil, err
	}
	return e.header, e.writeHeaders(m.Headers)
}

// set gives a header one value, without an allocation of its own.
func (e *encoder) set(name, value string) {
	e.values = append(e.values, value)
	n := len(e.values)
	e.header[name] = e.values[n-1 : n : n]
}

func (e *encoder) property(name, value string) {
	if value != "" {
		e.text(name, value)
	}
}

func (e *encoder) text(name, value string) {
	if plainValue(value) {
		e.set(name, value)
		return
	}
	if e.odd == nil {
		e.odd = make(broker.Table)
	}
	e.odd[name] = value
}

func (e *encoder) number(name string, n int64) {
	if n != 0 {
		e.set(name, strconv.FormatInt(n, 10))
	}
}

func (e *encoder) table(name string, t broker.Table) error {
	if len(t) == 0 {
		return nil
	}
	b, err := appendTable(nil, t)
	if err == nil {
		e.set(name, string(b))
	}
	return err
}

// decode fills m with what the headers say. Nothing that an application has set is lost: what claims to be a property or
// a typed table and cannot be read stays a header.
func decode(h nats.Header, m *broker.Message) {
	var typed broker.Table
	for name, values := range h {
		switch {
		case len(values) == 0, strings.HasPrefix(name, controlPrefix):
		case len(values) > 1 || !strings.HasPrefix(name, ownPrefix):
			readHeader(&m.Headers, name, values, len(h))
		case name == typedHeader || name == oddHeader:
			t, err := parseTable(values[0])
			if err != nil {
				readHeader(&m.Headers, name, values, len(h))
			} else if name == typedHeader {
				typed = t
			} else {
				readOdd(t, m)
			}
		case !setProperty(m, name, values[0]):
			readHeader(&m.Headers, name, values, len(h))
		}
	}
	if m.Headers == nil {
		m.Headers = typed
	} else {
		maps.Copy(m.Headers, typed)
	}
}

func readOdd(t broker.Table, m *broker.Message) {
	for name, v := range t {
		if s, ok := v.(string); ok {
			setProperty(m, name, s)
		}
	}
}

// setProperty reports whether name is a property's and value fits it.
func setProperty(m *broker.Message, name, value string) bool {
	p := &m.Properties
	octet := func(to *uint8) bool {
		n, err := strconv.ParseUint(value, 10, 8)
		if err == nil {
			*to = uint8(n)
		}
		return err == nil
	}
	switch name {
	case contentType:
		p.ContentType = value
	case contentEncoding:
		p.ContentEncoding = value
	case deliveryMode:
		return octet(&p.DeliveryMode)
	case priority:
		return octet(&p.Priority)
	case correlationID:
		p.CorrelationID = value
	case replyTo:
		p.ReplyTo = value
	case expiration:
		p.Expiration = value
	case messageID:
		p.MessageID = value
	case timestamp:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false
		}
		p.Timestamp = time.Unix(n, 0)
	case messageType:
		p.Type = value
	case userID:
		p.UserID = value
	case appID:
		p.AppID = value
	case originExchange:
		m.Exchange = value
	case originRoutingKey:
		m.RoutingKey = value
	default:
		return false
	}
	return true
}
