package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/broker"
)

// Locks are keys of a key-value bucket: created by the owner, renewed by it, and gone after lockTTL if it does not. The
// bucket takes a write only if nothing has been written in between, so two can never own one.
const (
	lockBucket = "weir-locks"
	lockTTL    = 10 * time.Second
	lockRenew  = lockTTL / 4
	// lockTrust is how long an owner goes by its last renewal, counted from before it was asked for. It is shorter than
	// the key lives, so that an owner that was frozen knows it is none any more before another can be.
	lockTrust = lockTTL * 8 / 10
	lockRetry = time.Second
	// bucketPatience is how long an answer about the bucket may take.
	bucketPatience = 5 * time.Second
)

var (
	errLockLost  = fmt.Errorf("the lock could not be renewed in time: %w", broker.ErrLost)
	errLockTaken = errors.New("somebody else owns the lock")
)

// Lock implements broker.Locker. The lock ends with the connection it was made on, and with the Broker.
func (b *Broker) Lock(ctx context.Context, name string) (held context.Context, release func(), err error) {
	for {
		held, release, err = b.tryLock(ctx, name)
		switch {
		case err == nil:
			return held, release, nil
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case !errors.Is(err, errLockTaken):
			return nil, nil, fmt.Errorf("lock %q: %w", name, err)
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// tryLock returns errLockTaken if somebody else has it.
func (b *Broker) tryLock(ctx context.Context, name string) (context.Context, func(), error) {
	c, err := b.manage(ctx)
	if err != nil {
		return nil, nil, err
	}
	bucket, err := b.lockBucket(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	key := lockKey(b.names.subjects + name)
	if !b.claim(key) {
		return nil, nil, errLockTaken
	}
	asked := time.Now()
	revision, err := b.writeKey(ctx, c, bucket, key, 0)
	if err != nil {
		b.unclaim(key)
		return nil, nil, err
	}
	l := &lease{}
	l.Context, l.lose = context.WithCancelCause(b.ctx)
	l.renewed(asked)
	done := make(chan struct{})
	began := b.run(func() {
		defer close(done)
		defer b.unclaim(key)
		revision := b.renew(l, c, bucket, key, revision)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l), closeWait)
		defer cancel()
		if !c.dead() { // otherwise the key goes by itself
			_ = bucket.Delete(ctx, key, jetstream.LastRevision(revision))
		}
	})
	if !began { // the key goes by itself
		b.unclaim(key)
		l.lose(errClosed)
		return nil, nil, errClosed
	}
	return l, func() { l.lose(context.Canceled); <-done }, nil
}

// writeKey creates the key, or renews it if it has a revision. It takes over what this Broker has written and got no answer
// for, or left when a connection was lost. errLockTaken: it is somebody else's.
func (b *Broker) writeKey(ctx context.Context, c *conn, bucket jetstream.KeyValue, key string, last uint64) (revision uint64, err error) {
	err = c.call(ctx, lockBucket, func(ctx context.Context) (err error) {
		if last == 0 {
			revision, err = bucket.Create(ctx, key, b.instance)
		} else {
			revision, err = bucket.Update(ctx, key, b.instance, last)
		}
		if !taken(err) {
			return err
		}
		entry, err := bucket.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) || err == nil && string(entry.Value()) != string(b.instance) {
			return errLockTaken // or was, a moment ago
		}
		if err != nil {
			return err
		}
		revision, err = bucket.Update(ctx, key, b.instance, entry.Revision())
		if taken(err) {
			return errLockTaken
		}
		return err
	})
	return revision, err
}

// renew keeps the key until the lease is lost or given up, and returns its last revision.
func (b *Broker) renew(l *lease, c *conn, bucket jetstream.KeyValue, key string, revision uint64) uint64 {
	renew, late := time.NewTicker(lockRenew), time.NewTimer(lockTrust)
	defer renew.Stop()
	defer late.Stop()
	for {
		select {
		case <-l.Done():
			return revision
		case <-c.lost:
			l.lose(errLockLost)
		case <-late.C:
			l.lose(errLockLost)
		case <-renew.C:
			asked := time.Now()
			ctx, cancel := context.WithTimeout(l, lockRenew)
			next, err := b.writeKey(ctx, c, bucket, key, revision)
			cancel()
			switch {
			case err == nil:
				revision = next
				l.renewed(asked)
				late.Reset(time.Until(asked.Add(lockTrust)))
			case errors.Is(err, errLockTaken):
				l.lose(errLockLost)
			}
		}
	}
}

// lockBucket finds the bucket, or makes it. A server does not answer questions about a stream that is being made in a
// cluster, so this Broker asks one at a time, and nobody waits long for an answer.
func (b *Broker) lockBucket(ctx context.Context, c *conn) (bucket jetstream.KeyValue, err error) {
	select {
	case b.askingBucket <- struct{}{}:
		defer func() { <-b.askingBucket }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, bucketPatience)
	defer cancel()
	err = c.call(ctx, lockBucket, func(ctx context.Context) (err error) {
		bucket, err = c.js.KeyValue(ctx, lockBucket)
		if !errors.Is(err, jetstream.ErrBucketNotFound) {
			return err
		}
		bucket, err = c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: lockBucket, Description: "which weir gateway owns what", TTL: lockTTL, History: 1, Replicas: b.config.Streams.Replicas,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // somebody was faster, with settings of their own
			bucket, err = c.js.KeyValue(ctx, lockBucket)
		}
		return err
	})
	return bucket, err
}

// taken reports whether a key is not as the writer thought.
func taken(err error) bool {
	switch code(err) {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return true
	}
	return errors.Is(err, jetstream.ErrKeyExists)
}

// lockKey writes what a key may not hold as =XX.
func lockKey(name string) string {
	var k strings.Builder
	for _, c := range []byte(name) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' {
			k.WriteByte(c)
		} else {
			fmt.Fprintf(&k, "=%02X", c)
		}
	}
	return k.String()
}

// claim takes a key for this process. Two sessions of one Broker are two gateways to each other.
func (b *Broker) claim(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, held := b.locks[key]; held {
		return false
	}
	b.locks[key] = struct{}{}
	return true
}

func (b *Broker) unclaim(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.locks, key)
}
