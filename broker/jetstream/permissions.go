package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/broker"
)

// permissions are what the server says of its user (subject $SYS.REQ.USER.INFO, from 2.10).
type permissions struct {
	Publish *struct {
		Allow []string `json:"allow"`
		Deny  []string `json:"deny"`
	} `json:"publish"`
}

const permissionsWait = time.Second

// mayPublish returns an error of broker.ErrDenied if the user may not publish to one of these subjects. A server that
// does not tell is taken to allow it.
func (b *Broker) mayPublish(ctx context.Context, subjects []string) error {
	c, err := b.manage(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, permissionsWait)
	defer cancel()
	m, err := c.nats.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil)
	if err != nil {
		return nil
	}
	var answer struct {
		Data struct {
			Permissions *permissions `json:"permissions"`
		} `json:"data"`
	}
	if json.Unmarshal(m.Data, &answer) != nil {
		return nil
	}
	for _, s := range subjects {
		if p := answer.Data.Permissions; p != nil && !p.allows(s) {
			return fmt.Errorf("the user may not publish to %s: %w", s, broker.ErrDenied)
		}
	}
	return nil
}

// allows follows the server: a subject must match what is allowed, if anything is listed, and nothing that is denied.
func (p *permissions) allows(subject string) bool {
	if p.Publish == nil {
		return true
	}
	matched := func(list []string) bool {
		for _, s := range list {
			if matches(s, subject) {
				return true
			}
		}
		return false
	}
	return (len(p.Publish.Allow) == 0 || matched(p.Publish.Allow)) && !matched(p.Publish.Deny)
}
