package amqp

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"weir/broker"
)

// Check implements broker.Checker. It connects and looks for the queue or exchange. Permissions are looked up in the
// management API, which tells them to administrators only; without it they show when a session is opened.
func (b *Broker) Check(ctx context.Context, at broker.Address, as broker.Role, predeclared bool) error {
	if err := foreign(at); err != nil {
		return err
	}
	if as == broker.AsSource && at.Queue == "" && at.Exchange == "" {
		return fmt.Errorf("a source needs a queue or an exchange: %w", broker.ErrUnsupported)
	}
	missing, err := await(ctx, b.pool, func() (bool, error) { return b.look(ctx, at) }, nil)
	if err == nil && missing && (at.Exchange != "" || predeclared) {
		err = broker.ErrNotFound
	}
	if err == nil {
		err = b.permitted(ctx, at, as, missing)
	}
	if err == nil || at == (broker.Address{}) { // each message has its own: only the way to the broker has been tried
		return err
	}
	return fmt.Errorf("%v: %w", at, err)
}

// look tells whether the queue or exchange is missing.
func (b *Broker) look(ctx context.Context, at broker.Address) (missing bool, err error) {
	c, err := b.pool.acquire(ctx, order{role: consuming, link: "check"})
	if err != nil {
		return false, err
	}
	defer b.pool.release(c)
	var ch *amqp091.Channel
	switch {
	case at.Exchange != "":
		ch, err = findExchange(c, at.Exchange)
	case at.Queue != "":
		if ch, _, err = findQueue(c, at.Queue); err != nil {
			err = c.explain(err)
		}
	default:
		return false, nil
	}
	if errors.Is(err, broker.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, ch.Close()
}

// permitted compares what a session will need with the user's permissions.
func (b *Broker) permitted(ctx context.Context, at broker.Address, as broker.Role, missing bool) error {
	if b.management == nil || b.config.Mechanism == External { // whose user name the broker makes of a certificate
		return nil
	}
	username, _, err := b.config.Credentials()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	var p permissions
	if err := b.management.get(ctx, &p, "permissions", b.config.VHost, username); err != nil {
		if errors.Is(err, broker.ErrDenied) || errors.Is(err, broker.ErrNotFound) { // not an administrator; not an internal user
			return nil
		}
		return err
	}
	for _, need := range needs(at, as, missing) {
		if pattern := p.of(need.operation); !allows(pattern, need.name) {
			return fmt.Errorf("%w: user %q may not %s %q: the permission is %q", broker.ErrDenied, username, need.operation, need.name, pattern)
		}
	}
	return nil
}

// need is an operation on a queue or an exchange (https://www.rabbitmq.com/docs/access-control, "How Authorisation Works").
type need struct{ operation, name string }

// defaultExchange is what permissions call the exchange without a name.
const defaultExchange = "amq.default"

func needs(at broker.Address, as broker.Role, missing bool) (list []need) {
	if missing {
		list = append(list, need{"configure", at.Queue})
	}
	switch {
	case as == broker.AsSource && at.Exchange != "":
		list = append(list, need{"read", at.Exchange}) // to bind a queue to it
		if at.Queue != "" {
			list = append(list, need{"configure", at.Queue}, need{"write", at.Queue}, need{"read", at.Queue})
		}
	case as == broker.AsSource:
		list = append(list, need{"read", at.Queue})
	case at.Exchange != "":
		list = append(list, need{"write", at.Exchange})
	case at.Queue != "":
		list = append(list, need{"write", defaultExchange})
	}
	return list
}

type permissions struct{ Configure, Write, Read string }

func (p permissions) of(operation string) string {
	switch operation {
	case "configure":
		return p.Configure
	case "write":
		return p.Write
	default:
		return p.Read
	}
}

// allows matches as RabbitMQ does: anywhere in the name, and an empty pattern matches nothing. A pattern that Go's regular
// expressions cannot read is given the benefit of the doubt.
func allows(pattern, name string) bool {
	if pattern == "" {
		return false
	}
	re, err := regexp.Compile(pattern)
	return err != nil || re.MatchString(name)
}

// DeadLetters implements broker.Checker. The management API tells the arguments of a queue and the policy in force, which
// AMQP does not: without one it is ErrUnsupported.
func (b *Broker) DeadLetters(ctx context.Context, at broker.Address) (bool, error) {
	switch {
	case at.Queue == "":
		return false, fmt.Errorf("dead letters of %v: only a queue has them: %w", at, broker.ErrUnsupported)
	case b.management == nil:
		return false, fmt.Errorf("dead letters of %v: set brokers.%s.management to learn of them: %w", at, b.config.Name, broker.ErrUnsupported)
	}
	q, err := b.management.queue(ctx, b.config.VHost, at.Queue)
	if err != nil {
		return false, fmt.Errorf("dead letters of %v: %w", at, err)
	}
	_, argument := q.Arguments["x-dead-letter-exchange"]
	_, policy := q.Policy["dead-letter-exchange"]
	return argument || policy, nil
}
