package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/configs"
	"weir/internal/gateway"
	"weir/internal/telemetry"
	"weir/link"
)

// ErrNobody says that no weir answers at any of the sockets.
var ErrNobody = errors.New("no weir answers")

// Refusal is an answer that is an error.
type Refusal struct {
	Status   int // of HTTP
	Message  string
	Problems configs.Problems
}

func (r *Refusal) Error() string { return r.Message }

// Client talks to a weir that runs on this host.
type Client struct {
	sockets []string
	http    http.Client
}

// NewClient makes a Client that tries the sockets in order.
func NewClient(sockets ...string) *Client {
	c := &Client{sockets: sockets}
	c.http = http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		},
	}
	return c
}

// Status asks for everything.
func (c *Client) Status(ctx context.Context) (s gateway.Status, err error) {
	return s, c.do(ctx, http.MethodGet, "/api/links", nil, &s)
}

// Link asks for one link.
func (c *Client) Link(ctx context.Context, name string) (s link.Status, err error) {
	return s, c.do(ctx, http.MethodGet, "/api/links/"+url.PathEscape(name), nil, &s)
}

// Pause drains a link and holds it.
func (c *Client) Pause(ctx context.Context, name, reason string) (s link.Status, err error) {
	return s, c.do(ctx, http.MethodPost, "/api/links/"+url.PathEscape(name)+"/pause", pauseRequest{reason}, &s)
}

// Resume lets a paused link run.
func (c *Client) Resume(ctx context.Context, name string) (s link.Status, err error) {
	return s, c.do(ctx, http.MethodPost, "/api/links/"+url.PathEscape(name)+"/resume", nil, &s)
}

// Override switches the overflow of a shovel.
func (c *Client) Override(ctx context.Context, name string, mode link.Mode) (s link.Status, err error) {
	return s, c.do(ctx, http.MethodPost, "/api/shovels/"+url.PathEscape(name)+"/overflow/"+string(mode), nil, &s)
}

// Reload has the configuration read again.
func (c *Client) Reload(ctx context.Context) (done gateway.Changes, err error) {
	return done, c.do(ctx, http.MethodPost, "/api/reload", nil, &done)
}

// Snapshot asks for all that the page shows.
func (c *Client) Snapshot(ctx context.Context) (s Snapshot, err error) {
	return s, c.do(ctx, http.MethodGet, "/api/snapshot", nil, &s)
}

// Config asks for the configuration in force, without its secrets.
func (c *Client) Config(ctx context.Context) (cfg map[string]any, err error) {
	return cfg, c.do(ctx, http.MethodGet, "/api/config", nil, &cfg)
}

// Hops asks where a message has been, by its message-id or the id of its trace, oldest first.
func (c *Client) Hops(ctx context.Context, id string) (hops []telemetry.Hop, err error) {
	return hops, c.do(ctx, http.MethodGet, "/api/hops/"+url.PathEscape(id), nil, &hops)
}

// Leftovers asks for the buffers that no policy asks for any more.
func (c *Client) Leftovers(ctx context.Context) (found Leftovers, err error) {
	return found, c.do(ctx, http.MethodGet, "/api/leftovers", nil, &found)
}

// Remove deletes one of them.
func (c *Client) Remove(ctx context.Context, what Removal) error {
	return c.do(ctx, http.MethodPost, "/api/leftovers/remove", what, &what)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, &sent)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		if asked, ok := errors.AsType[*url.Error](err); ok {
			err = asked.Err // it names a host that does not exist
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return json.NewDecoder(response.Body).Decode(into)
	}
	var why Failure
	if err := json.NewDecoder(response.Body).Decode(&why); err != nil {
		return fmt.Errorf("weir answered %s", response.Status)
	}
	return &Refusal{Status: response.StatusCode, Message: why.Error, Problems: why.Problems}
}

// dial connects to the first socket where somebody answers.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	cure := "start it with `weir run`, or say where it is with --socket"
	for _, path := range c.sockets {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			cure = "you may not use " + path + ": join the group it belongs to"
		}
	}
	return nil, fmt.Errorf("%w at %s; %s", ErrNobody, strings.Join(c.sockets, " or "), cure)
}
