package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

var (
	errNotFound = errors.New("not found")           // 404
	errFailed   = errors.New("it failed to answer") // 500 and more, as for a federation link of RabbitMQ's own that just starts
)

// request calls the management API as administrator, on the first node that answers. The path comes after /api/ and is
// escaped; in and out are JSON and may be nil.
func (b *Broker) request(ctx context.Context, method, path string, in, out any) error {
	var errs []error
	for _, n := range b.Nodes {
		reply, err := b.requestNode(ctx, n, method, path, in)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return decode(reply, out)
	}
	return errors.Join(errs...)
}

// requestNode sends one request to one node. The error is about the connection; the reply may still be a refusal.
func (b *Broker) requestNode(ctx context.Context, n *Node, method, path string, in any) (*http.Response, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address(n.Management)+"/api/"+path, &body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(b.Username, b.Password)
	req.Header.Set("Content-Type", "application/json")
	// Without keep-alive nothing stays behind for goleak to find.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	return client.Do(req)
}

func decode(reply *http.Response, out any) error {
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	call := reply.Request.Method + " " + reply.Request.URL.EscapedPath()
	switch {
	case reply.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: %w", call, errNotFound)
	case reply.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %w: %s: %s", call, errFailed, reply.Status, body)
	case reply.StatusCode >= http.StatusBadRequest:
		return fmt.Errorf("%s: %s: %s", call, reply.Status, body)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}
