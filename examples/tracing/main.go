// Command tracing follows one order over three regions. It is published in eu, waits there because nobody works on it,
// overflows to us, and is taken to ap by a federated exchange. Then Jaeger is asked for its trace, which is printed as a
// tree: what happened where, how long the order waited, and why it went on.
//
//	go run ./examples/tracing
//
// It starts Jaeger and one RabbitMQ node, in which each region is a vhost, and runs weir with the weir.yaml beside this file.
// main.go is the story, region.go the applications of the shop, tree.go prints the trace.
package main

import (
	"context"
	_ "embed" // of weir.yaml
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/configs"
	"weir/internal/drivers"
	"weir/internal/gateway"
	"weir/internal/telemetry"
	"weir/link"
	"weir/tests/lab"
)

//go:embed weir.yaml
var config []byte

const (
	traced = "order-4711"
	others = 20 // orders that come later, and make eu overflow
	steps  = 6  // of the order: the shop, two spans of weir in each of two hops, the warehouse
	limit  = time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tracing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("Starting Jaeger and RabbitMQ.")
	jaeger, err := lab.RunJaeger(ctx)
	if err != nil {
		return err
	}
	defer jaeger.Stop()
	var nodes lab.Shared
	defer nodes.Stop()
	node, err := startNode(ctx, &nodes)
	if err != nil {
		return err
	}
	fmt.Printf("  RabbitMQ %s, with a vhost for each region: eu, us, ap\n  Jaeger at %s\n", node.Release, jaeger.Query)
	regions := map[string]*region{}
	for _, name := range []string{"eu", "us", "ap"} {
		if regions[name], err = newRegion(ctx, name, node); err != nil {
			return err
		}
		defer regions[name].close()
	}
	weir, stopWeir, err := startWeir(ctx, node, jaeger)
	if err != nil {
		return err
	}
	defer stopWeir()
	if err := until(ctx, "ap's bindings are known in us", func() (bool, error) { return federated(weir), nil }); err != nil {
		return err
	}
	id, err := follow(ctx, regions["eu"], regions["ap"], jaeger)
	if err != nil {
		return err
	}
	return show(ctx, jaeger, id)
}

// follow lets one order travel, and returns the id of its trace.
func follow(ctx context.Context, eu, ap *region, jaeger *lab.Jaeger) (id string, err error) {
	shop, err := newApplication(ctx, "shop", jaeger)
	if err != nil {
		return "", err
	}
	defer shop.close(ctx)
	warehouse, err := newApplication(ctx, "warehouse", jaeger)
	if err != nil {
		return "", err
	}
	defer warehouse.close(ctx)

	fmt.Printf("\n%s is published in eu, where nobody works on it.\n", traced)
	if id, err = shop.order(ctx, eu); err != nil {
		return "", err
	}
	fmt.Println("Two seconds later many others come.")
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if err := eu.publishOthers(ctx); err != nil {
		return "", err
	}
	err = until(ctx, traced+" arrives in ap", func() (bool, error) { return warehouse.work(ctx, ap) })
	if err == nil {
		fmt.Printf("%s has arrived in ap.\n", traced)
	}
	return id, err
}

// show prints the trace as soon as Jaeger has all of it.
func show(ctx context.Context, jaeger *lab.Jaeger, id string) error {
	var spans []lab.Span
	err := until(ctx, "Jaeger has the trace", func() (done bool, err error) {
		spans, err = jaeger.Trace(ctx, id)
		return len(spans) == steps, err
	})
	if err != nil {
		return err
	}
	fmt.Printf("\nIts trace, as %s/api/traces/%s tells it:\n\n", jaeger.Query, id)
	printTree(os.Stdout, spans)
	return nil
}

// startWeir runs weir in this process, as `weir run -c weir.yaml` would, with the variables of weir.yaml set.
func startWeir(ctx context.Context, node *lab.Broker, jaeger *lab.Jaeger) (g *gateway.Gateway, stop func(), err error) {
	variables := map[string]string{
		"RABBITMQ_URI": fmt.Sprintf("amqp://127.0.0.1:%d", node.Nodes[0].AMQP), "RABBITMQ_MANAGEMENT": node.Management()[0],
		"RABBITMQ_USERNAME": node.Username, "RABBITMQ_PASSWORD": node.Password, "COLLECTOR": jaeger.GRPC,
	}
	env := func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
	cfg, warnings, err := configs.Parse("weir.yaml", config, env)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	tele, err := telemetry.New(ctx, cfg, telemetry.Options{Version: "example", Log: log})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g, err = gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: "weir.yaml", Open: drivers.Open("example"), Log: log, Observe: tele.Observe,
	})
	if err != nil {
		cancel()
		return nil, nil, errors.Join(err, tele.Shutdown(ctx))
	}
	return g, func() {
		cancel()
		g.Wait()
		if err := tele.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Warn("spans are lost", "error", err)
		}
	}, nil
}

// federated tells whether the exchange link is open and has mirrored ap's one binding.
func federated(g *gateway.Gateway) bool {
	for _, s := range g.Status().Links {
		open := s.State == link.Idle || s.State == link.Running
		if f := s.Federation; open && f != nil && f.Bindings != nil && *f.Bindings == 1 {
			return true
		}
	}
	return false
}

// until waits for something.
func until(ctx context.Context, what string, is func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if done, err := is(); done || err != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}
