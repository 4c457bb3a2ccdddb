package main

import (
	"context"
	_ "embed" // of weir.yaml
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/broker"
	"weir/configs"
	"weir/internal/brokers"
	"weir/internal/drivers"
	"weir/internal/gateway"
	"weir/internal/telemetry"
)

//go:embed weir.yaml
var config []byte

// weir is a gateway in this process, as `weir run -c weir.yaml` would be.
type weir struct {
	address string // of its metrics
	brokers map[string]broker.Broker
	stop    func()
}

func startWeir(ctx context.Context, folder string) (*weir, error) {
	env := func(name string) (string, bool) { return folder, name == "WEIR_DATA" }
	cfg, warnings, err := configs.Parse("weir.yaml", config, env)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelError}))
	tele, err := telemetry.New(ctx, cfg, telemetry.Options{Version: "example", Log: log})
	if err != nil {
		return nil, err
	}
	w := &weir{brokers: map[string]broker.Broker{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g, err := gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: "weir.yaml", Open: w.open, Log: log, Observe: tele.Observe,
	})
	if err != nil {
		cancel()
		return nil, err
	}
	metrics := tele.Handler(func() telemetry.Snapshot {
		s := g.Status()
		return telemetry.Snapshot{Links: s.Links, Applied: s.Config.LoadedAt, Rejected: s.Config.Rejected != nil}
	})
	closeMetrics, err := w.serve(metrics)
	w.stop = func() {
		closeMetrics()
		cancel()
		g.Wait()
	}
	if err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// open opens brokers as weir does, and keeps them for the applications.
func (w *weir) open(ctx context.Context, declared brokers.Declared, log *slog.Logger) (broker.Broker, func(), error) {
	b, closeIt, err := drivers.Open("example")(ctx, declared, log)
	w.brokers[declared.Name] = b
	return b, closeIt, err
}

// serve answers to Prometheus at an address of its own; weir does so at admin.listen.
func (w *weir) serve(metrics http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return func() {}, err
	}
	w.address = listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return func() { _ = server.Close(); serving.Wait() }, nil
}

// publish sends messages to a queue of eu, and waits until they are stored.
func (w *weir) publish(ctx context.Context, queue string, n int) error {
	sink, err := w.brokers["eu"].OpenSink(ctx, broker.Address{Queue: queue}, broker.SinkOptions{Link: "shop", Site: "shop"})
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()
	confirms := make([]broker.Confirm, n)
	for i := range confirms {
		m := &broker.Message{Properties: broker.Properties{MessageID: fmt.Sprint(queue, "-", i)}, Body: []byte("an order")}
		if confirms[i], err = sink.Send(ctx, m); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range confirms {
		select {
		case <-c.Done():
			errs = append(errs, c.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

// consume works on the orders of us until ctx ends.
func (w *weir) consume(ctx context.Context) (done func() error, err error) {
	source, err := w.brokers["us"].OpenSource(ctx, broker.Address{Queue: "orders"}, broker.SourceOptions{Link: "shop", Site: "shop", Window: 100})
	if err != nil {
		return nil, err
	}
	var consumer errgroup.Group
	consumer.Go(func() error {
		for {
			m, err := source.Receive(ctx)
			if ctx.Err() != nil {
				return source.Close()
			}
			if err != nil {
				return err
			}
			if err := source.Ack(m); err != nil {
				return err
			}
		}
	})
	return consumer.Wait, nil
}
