package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"weir/tests/lab"
)

// startNode starts the newest RabbitMQ that this machine has.
func startNode(ctx context.Context, nodes *lab.Shared) (node *lab.Broker, err error) {
	for _, version := range slices.Backward(lab.Versions()) {
		if node, err = nodes.Start(ctx, version); !errors.Is(err, lab.ErrNotInstalled) {
			break
		}
	}
	return node, err
}

// region is a vhost in which the exchange orders feeds the queue orders.
type region struct {
	conn *amqp.Connection
	ch   *amqp.Channel
}

func newRegion(ctx context.Context, name string, node *lab.Broker) (*region, error) {
	if err := manage(ctx, node, "vhosts/"+name, "{}"); err != nil {
		return nil, err
	}
	if err := manage(ctx, node, "permissions/"+name+"/"+node.Username, `{"configure": ".*", "write": ".*", "read": ".*"}`); err != nil {
		return nil, err
	}
	conn, err := amqp.DialConfig(node.URIs()[0], amqp.Config{Vhost: name})
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	return &region{conn, ch}, errors.Join(
		ch.Confirm(false),
		ch.ExchangeDeclare("orders", "topic", true, false, false, false, nil),
		declare(ch),
		ch.QueueBind("orders", "order.#", "orders", false, nil),
	)
}

func declare(ch *amqp.Channel) error {
	_, err := ch.QueueDeclare("orders", true, false, false, false, nil)
	return err
}

// manage puts something by the management API.
func manage(ctx context.Context, node *lab.Broker, path, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, node.Management()[0]+"/api/"+path, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(node.Username, node.Password)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", path, reply.Status)
	}
	return nil
}

func (r *region) close() { _ = r.conn.Close() }

// publish sends an order, and waits until it is stored.
func (r *region) publish(ctx context.Context, id string, headers amqp.Table) error {
	confirm, err := r.ch.PublishWithDeferredConfirmWithContext(ctx, "orders", "order.created", true, false, amqp.Publishing{
		MessageId: id, Timestamp: time.Now(), Headers: headers, DeliveryMode: amqp.Persistent, Body: []byte(id),
	})
	if err != nil {
		return err
	}
	if stored, err := confirm.WaitContext(ctx); err != nil || !stored {
		return fmt.Errorf("the broker has not stored an order: %w", err)
	}
	return nil
}

func (r *region) publishOthers(ctx context.Context) error {
	for i := range others {
		if err := r.publish(ctx, fmt.Sprintf("order-%d", 4712+i), nil); err != nil {
			return err
		}
	}
	return nil
}

// application is one that traces what it does.
type application struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

func newApplication(ctx context.Context, name string, jaeger *lab.Jaeger) (*application, error) {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(jaeger.GRPC))
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter), sdk.WithResource(resource.NewSchemaless(semconv.ServiceName(name))))
	return &application{provider, provider.Tracer(name)}, nil
}

func (a *application) close(ctx context.Context) { _ = a.provider.Shutdown(ctx) }

// order publishes the order in a new trace, and returns the id of the trace.
func (a *application) order(ctx context.Context, to *region) (id string, err error) {
	ctx, span := a.tracer.Start(ctx, "publish orders:order.created", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return span.SpanContext().TraceID().String(), to.publish(ctx, traced, amqp.Table{"traceparent": carrier["traceparent"]})
}

// work consumes an order if there is one, and tells whether it is the one that is traced.
func (a *application) work(ctx context.Context, at *region) (done bool, err error) {
	d, ok, err := at.ch.Get("orders", true)
	if err != nil || !ok || d.MessageId != traced {
		return false, err
	}
	parent, _ := d.Headers["traceparent"].(string)
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	_, span := a.tracer.Start(ctx, "process orders:order.created", trace.WithSpanKind(trace.SpanKindConsumer))
	span.End()
	return true, nil
}
