package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weir/broker"
)

// permissions are what the server says of its user (subject $SYS.REQ.USER.INFO, from 2.10).
type permissions struct {
	Publish   *subjects `json:"publish"`
	Subscribe *subjects `json:"subscribe"`
}

type subjects struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

const permissionsWait = time.Second

// mayPublish returns an error of broker.ErrDenied if the user may not publish to one of these subjects. A server that
// does not tell is taken to allow it.
func (b *Broker) mayPublish(ctx context.Context, subjects []string) error {
	p, err := b.permissions(ctx)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if !p.Publish.allow(s) {
			return fmt.Errorf("the user may not publish to %s: %w", s, broker.ErrDenied)
		}
	}
	return nil
}

// maySubscribe is the same for a subscription.
func (b *Broker) maySubscribe(ctx context.Context, subjects ...string) error {
	p, err := b.permissions(ctx)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		if !p.Subscribe.allow(s) {
			return fmt.Errorf("the user may not subscribe to %s: %w", s, broker.ErrDenied)
		}
	}
	return nil
}

// permissions asks for the user's. Those of a server that does not tell are empty.
func (b *Broker) permissions(ctx context.Context) (permissions, error) {
	c, err := b.manage(ctx)
	if err != nil {
		return permissions{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, permissionsWait)
	defer cancel()
	m, err := c.nats.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil)
	if err != nil {
		return permissions{}, nil
	}
	var answer struct {
		Data struct {
			Permissions permissions `json:"permissions"`
		} `json:"data"`
	}
	if json.Unmarshal(m.Data, &answer) != nil {
		return permissions{}, nil
	}
	return answer.Data.Permissions, nil
}

// allow follows the server: a subject must match what is allowed, if anything is listed, and nothing that is denied.
func (s *subjects) allow(subject string) bool {
	if s == nil {
		return true
	}
	matched := func(list []string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, subject) })
	}
	return (len(s.Allow) == 0 || matched(s.Allow)) && !matched(s.Deny)
}
