package federation

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"weir/broker"
	"weir/link"
)

// mostBatch bounds a batch where prefetch-count does not.
const mostBatch = 10_000

// linkPriority is that of a link among the upstream's consumers: its own come first (RabbitMQ's plugin does the same).
const linkPriority = -1

// queueSpec makes the link of a federated queue: from a queue of the upstream, declared like the downstream's if it is
// missing, to the downstream's through the default exchange, in batches and while they are wanted there (demandGate).
func queueSpec(p pair) link.Spec {
	spec := p.spec()
	source := newBatches(p.from.broker, cmp.Or(spec.Window, mostBatch), spec.MemoryLimit)
	gate := &demandGate{
		at: p.to, queue: p.queue.Name, queues: p.queues, readers: p.queues.on(p.to.name), batches: source, log: p.log,
		declare: p.declareUpstream,
	}
	spec.Window = source.most // the batch is what bounds a source
	spec.Source = link.Origin{
		Name: p.from.name, Broker: source, At: broker.Address{Queue: p.upstreamQueue()},
		Options: broker.SourceOptions{
			DeclareArgs:  likeDownstream(*p.queue),
			ConsumerArgs: broker.Table{"x-priority": int64(linkPriority)},
		},
	}
	spec.Destination = queueTo{
		To: link.To{
			Name: p.to.name, Broker: p.to.broker, At: broker.Address{Queue: p.queue.Name},
			Options: broker.SinkOptions{Predeclared: true},
		},
		pair: p,
	}
	spec.Gate = gate
	spec.Describe = func(s *link.Status) {
		batch := source.status()
		stranded := gate.stranded(batch.stranded)
		s.Window = batch.size
		s.Federation = &link.FederationStatus{
			Policy: p.policy, Upstream: p.upstream.Name, Batch: &batch.size, Stranded: &stranded,
		}
	}
	return spec
}

// upstreamQueue is the name of the queue at the upstream.
func (p pair) upstreamQueue() string { return cmp.Or(p.upstream.Queue, p.queue.Name) }

// declareUpstream declares the upstream's queue if it is missing. What opens a sink does just that; a source would consume.
func (p pair) declareUpstream(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, declareTimeout)
	defer cancel()
	sink, err := p.from.broker.OpenSink(ctx, broker.Address{Queue: p.upstreamQueue()}, broker.SinkOptions{
		Link: p.name(), Site: p.site, DeclareArgs: likeDownstream(*p.queue),
	})
	if err != nil {
		return fmt.Errorf("declare queue %s on upstream %s: %w", p.upstreamQueue(), p.from.name, err)
	}
	return sink.Close()
}

// declareTimeout bounds one try to declare a queue.
const declareTimeout = 30 * time.Second

// likeDownstream are the arguments of an upstream queue that has to be declared.
func likeDownstream(q broker.Queue) broker.Table {
	args := q.Arguments.With("x-queue-type", q.Type)
	if declared, ok := q.Arguments["x-queue-type"]; ok {
		args["x-queue-type"] = declared
	} else if q.Type != "quorum" { // which a vhost may have for its default
		delete(args, "x-queue-type")
	}
	delete(args, "x-internal-purpose")
	return args
}
