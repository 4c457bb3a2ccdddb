// Command monitoring shows what Prometheus sees of weir. Too many orders come to eu, so that overflow opens, and a second link
// gives up on messages that nobody wants. Then Prometheus is asked what the dashboard asks, and which alerts it raises.
//
//	go run ./examples/monitoring
//
// It starts Prometheus with the alerts.yml beside this file, and weir with two brokers inside the process. main.go is the
// story, weir.go runs weir and its applications, prometheus.go asks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// limit is how long anything may take that must come about.
const limit = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "monitoring:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "weir-monitoring-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	fmt.Println("Starting weir and Prometheus.")
	weir, err := startWeir(ctx, folder)
	if err != nil {
		return err
	}
	defer weir.stop()
	working, rest := context.WithCancel(ctx)
	consumed, err := weir.consume(working)
	if err != nil {
		rest()
		return err
	}
	defer func() {
		rest()
		err = errors.Join(err, consumed())
	}()
	prometheus, err := startPrometheus(ctx, folder, weir.address)
	if err != nil {
		return err
	}
	defer prometheus.Stop()
	fmt.Printf("  weir's metrics at http://%s/metrics\n  Prometheus at %s\n", weir.address, prometheus.URL)
	// An increase can only be seen from a figure that was there before.
	if err := until(ctx, "the links are known", func() (bool, error) { return prometheus.has(ctx, "count(weir_retries_total) == 2") }); err != nil {
		return err
	}

	fmt.Println("\n5,000 orders come to eu, where nobody works on them, and something to audit, which nobody wants.")
	var applications errgroup.Group
	applications.Go(func() error { return weir.publish(ctx, "orders", 5000) })
	applications.Go(func() error { return weir.publish(ctx, "audit", 10) })
	if err := applications.Wait(); err != nil {
		return err
	}
	for _, expression := range []string{
		`ALERTS{alertname="WeirOverflowOpen"}`, `ALERTS{alertname="WeirMessagesDropped", alertstate="firing"}`,
		`weir_messages_confirmed_total{link="orders-overflow"} > 1000`, `weir_source_depth{link="orders-overflow"} > 0`,
	} {
		if err := until(ctx, expression, func() (bool, error) { return prometheus.has(ctx, expression) }); err != nil {
			return err
		}
	}
	return prometheus.report(ctx, os.Stdout)
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
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}
