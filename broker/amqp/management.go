package amqp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"weir/broker"
)

const (
	// requestTimeout bounds one request to one node.
	requestTimeout = 10 * time.Second
	// mostAnswer bounds what is read of an answer: RabbitMQ lists the bindings of an exchange in one piece, some 200 bytes
	// each.
	mostAnswer = 64 << 20
)

// management reads from RabbitMQ's management API.
type management struct {
	uris        []string
	credentials Credentials
	client      *http.Client
	most        int64         // bytes of an answer
	failed      atomic.Uint32 // how many times a node has not answered: the next request goes to the node after it
}

// newManagement returns nil if no management API is configured.
func newManagement(c Config) *management {
	if len(c.Management.URIs) == 0 {
		return nil
	}
	m := &management{uris: c.Management.URIs, credentials: c.Management.Credentials, most: mostAnswer}
	if m.credentials == nil {
		m.credentials = c.Credentials
	}
	m.client = &http.Client{
		Transport: &http.Transport{DialTLSContext: dialTLS(c.TLS), MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		// A redirect could take the password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return m
}

func (m *management) close() { m.client.CloseIdleConnections() }

// get reads from the API: path names parts that are escaped here. The node that answered last is asked first, then the
// others in order until one answers; an answer of 401, 403 or 404 is the same on all. Errors are ErrDenied, ErrNotFound, or
// worth another try.
func (m *management) get(ctx context.Context, out any, path ...string) error {
	return m.query(ctx, out, "", path...)
}

// list is get with a comma-separated list of the columns that are wanted of each row. Without statistics RabbitMQ answers
// in a fraction of the time.
func (m *management) list(ctx context.Context, out any, columns string, path ...string) error {
	return m.query(ctx, out, "?disable_stats=true&columns="+columns, path...)
}

// totals lists the queues with how many messages they hold. It leaves out those whose leader is on a node that is down, also
// for the moment in which another leader is elected: who must know which queues there are asks list.
func (m *management) totals(ctx context.Context, out any, columns, vhost string) error {
	return m.query(ctx, out, "?disable_stats=true&enable_queue_totals=true&columns="+columns, "queues", vhost)
}

// query is get with what comes after the path.
func (m *management) query(ctx context.Context, out any, query string, path ...string) error {
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	what := "/api/" + strings.Join(path, "/")
	var errs []error
	for range m.uris {
		failed := m.failed.Load()
		base := m.uris[int(failed)%len(m.uris)]
		err := m.ask(ctx, strings.TrimRight(base, "/")+what+query, out)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("management API %s%s: %w", redact(base), what, err)
		if errors.Is(err, broker.ErrDenied) || errors.Is(err, broker.ErrNotFound) || errors.Is(context.Cause(ctx), context.Canceled) {
			return err
		}
		m.failed.CompareAndSwap(failed, failed+1) // unless somebody else has found out meanwhile
		if ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return broker.Join(errs...)
}

func (m *management) ask(ctx context.Context, uri string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return errors.New("not a URI")
	}
	username, password, err := m.credentials()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	req.SetBasicAuth(username, password)
	req.Header.Set("Accept", "application/json")
	reply, err := m.client.Do(req)
	if err != nil {
		if detailed, ok := errors.AsType[*url.Error](err); ok {
			err = detailed.Err
		}
		return err
	}
	defer reply.Body.Close() // it has been read
	switch reply.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %s (the user needs access to the vhost, and the tag management or monitoring)", broker.ErrDenied, reply.Status)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", broker.ErrNotFound, reply.Status)
	default:
		return errors.New(reply.Status)
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, m.most+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > m.most {
		return fmt.Errorf("an answer of more than %d bytes", m.most)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("not the answer of a management API: %w", err)
	}
	return nil
}

// queue is what the API tells of a queue. Figures are absent for a moment after a queue or a node has begun, and as old
// as the broker's statistics (collect_statistics_interval, 5 s by default).
type queue struct {
	Type      string         `json:"type"`
	Arguments arguments      `json:"arguments"`
	Policy    map[string]any `json:"effective_policy_definition"`
	Ready     *int64         `json:"messages_ready"`
	Unacked   *int64         `json:"messages_unacknowledged"`
	Consumers *int64         `json:"consumers"`
	Details   []consumer     `json:"consumer_details"`
	Stats     counters       `json:"message_stats"`
}

// consumer is what the API tells of a consumer.
type consumer struct {
	Tag    string `json:"consumer_tag"`
	Status string `json:"activity_status"`
}

// counters count since the queue was made, or since a node was started.
type counters struct {
	Publish      int64 `json:"publish"`
	DeliverGet   int64 `json:"deliver_get"` // every delivery, also a second one
	Ack          int64 `json:"ack"`
	DeliverNoAck int64 `json:"deliver_no_ack"`
	GetNoAck     int64 `json:"get_no_ack"`
}

func (m *management) queue(ctx context.Context, vhost, name string) (queue, error) {
	var q queue
	err := m.get(ctx, &q, "queues", vhost, name)
	return q, err
}
