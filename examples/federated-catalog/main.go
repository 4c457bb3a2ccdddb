// Command federated-catalog joins the catalogs of three regions, two on RabbitMQ and one on NATS JetStream. Each shop gets from
// the other regions what it has asked for, and nothing else crosses. In the end every shop must have each of its items once.
//
//	go run ./examples/federated-catalog
//
// It starts two RabbitMQ nodes and a NATS server, and runs weir with the weir.yaml beside this file. main.go is the story,
// rabbitmq.go and nats.go the shops.
package main

import (
	"context"
	_ "embed" // of weir.yaml
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/configs"
	"weir/internal/drivers"
	"weir/internal/gateway"
	"weir/link"
)

//go:embed weir.yaml
var config []byte

const (
	items    = 500 // of each kind, in each region
	patience = 2 * time.Minute
)

// region is a shop and its broker.
type region interface {
	// sell asks the region's exchange catalog for a kind of item, from every region.
	sell(ctx context.Context, kind string) error
	// publish puts items into the catalog, with routing key <region>.<kind>.
	publish(ctx context.Context, kind string, items []string) error
	// stock is what the shop has got so far.
	stock() []string
	// variables are those of weir.yaml.
	variables() map[string]string
	stop()
}

var (
	names = []string{"eu", "us", "ap"}
	// sold is how many items each shop has in the end.
	sold = map[string]int{"eu": 6 * items, "us": 3 * items, "ap": 6 * items}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "federated-catalog:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fmt.Println("Starting three regions.")
	regions, err := startRegions(ctx)
	defer func() {
		for _, r := range regions {
			r.stop()
		}
	}()
	if err != nil {
		return err
	}
	weir, stopWeir, err := startWeir(ctx, regions)
	if err != nil {
		return err
	}
	defer stopWeir()

	fmt.Println("\nThe shop in eu sells lamps, the one in us chairs, the one in ap both. Nobody sells sofas.")
	want := map[string][]string{"eu": {"lamp"}, "us": {"chair"}, "ap": {"lamp", "chair"}}
	for _, name := range names {
		for _, kind := range want[name] {
			if err := regions[name].sell(ctx, kind); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if err := mirrored(ctx, weir, want); err != nil {
		return err
	}
	fmt.Printf("Each region publishes %d of each.\n\n", items)
	if err := publish(ctx, regions, "lamp", "chair", "sofa"); err != nil {
		return err
	}
	if err := wait(ctx, regions, map[string]int{"eu": 3 * items, "us": 3 * items, "ap": 6 * items}); err != nil {
		return err
	}
	tell(weir)

	fmt.Println("\nNow the shop in eu sells tables, too.")
	want["eu"] = append(want["eu"], "table")
	if err := regions["eu"].sell(ctx, "table"); err != nil {
		return err
	}
	began := time.Now()
	if err := mirrored(ctx, weir, want); err != nil {
		return err
	}
	fmt.Printf("The other regions know within %v. Each publishes %d tables.\n\n", time.Since(began).Round(10*time.Millisecond), items)
	if err := publish(ctx, regions, "table"); err != nil {
		return err
	}
	if err := wait(ctx, regions, sold); err != nil {
		return err
	}
	tell(weir)
	return account(regions)
}

// startRegions starts all three side by side. What it returns must be stopped, also after an error.
func startRegions(ctx context.Context) (map[string]region, error) {
	var (
		mu       sync.Mutex
		regions  = map[string]region{}
		starting errgroup.Group
	)
	for _, name := range names {
		starting.Go(func() error {
			start := startRabbitMQ
			if name == "ap" {
				start = startNATS
			}
			r, err := start(ctx, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			regions[name] = r
			return nil
		})
	}
	err := starting.Wait()
	return regions, err
}

// startWeir runs weir in this process, as `weir run -c weir.yaml` would, with the variables of weir.yaml set.
func startWeir(ctx context.Context, regions map[string]region) (*gateway.Gateway, func(), error) {
	variables := map[string]string{}
	for _, r := range regions {
		maps.Copy(variables, r.variables())
	}
	env := func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
	cfg, warnings, err := configs.Parse("weir.yaml", config, env)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	weir, err := gateway.Start(ctx, cfg, warnings, gateway.Options{File: "weir.yaml", Open: drivers.Open("example"), Log: log})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return weir, func() { cancel(); weir.Wait() }, nil
}

// mirrored waits until each region is asked for what the others sell.
func mirrored(ctx context.Context, weir *gateway.Gateway, want map[string][]string) error {
	return until(ctx, "the bindings are mirrored", func() bool {
		links := weir.Status().Links
		return len(links) == 6 && !slices.ContainsFunc(links, func(l link.Status) bool {
			f := l.Federation
			return f.EqualAt.IsZero() || *f.Bindings != len(want[strings.TrimPrefix(f.Policy, "catalog-")])
		})
	})
}

// publish puts items into every region's catalog, all regions at once.
func publish(ctx context.Context, regions map[string]region, kinds ...string) error {
	var working errgroup.Group
	for name, r := range regions {
		working.Go(func() error {
			for _, kind := range kinds {
				batch := make([]string, items)
				for i := range batch {
					batch[i] = fmt.Sprintf("%s.%s %d", name, kind, i)
				}
				if err := r.publish(ctx, kind, batch); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		})
	}
	return working.Wait()
}

// wait returns when every shop has so many items.
func wait(ctx context.Context, regions map[string]region, want map[string]int) error {
	return until(ctx, "every shop has its items", func() bool {
		for name, n := range want {
			if len(regions[name].stock()) < n {
				return false
			}
		}
		return true
	})
}

// tell shows what has crossed each link.
func tell(weir *gateway.Gateway) {
	for _, l := range weir.Status().Links {
		fmt.Printf("  %-26s bindings %d   crossed %5d   fetched for nothing %d\n", l.Name, *l.Federation.Bindings, l.Counts.Confirmed, l.Counts.Filtered)
	}
}

// account looks for items that a shop lacks, or has twice.
func account(regions map[string]region) error {
	bad := false
	fmt.Println()
	for _, name := range names {
		stock := regions[name].stock()
		once := slices.Compact(slices.Sorted(slices.Values(stock)))
		lost, twice := sold[name]-len(once), len(stock)-len(once)
		fmt.Printf("%s has %d items. Lost: %d. Twice: %d.\n", name, len(once), lost, twice)
		bad = bad || lost != 0 || twice != 0
	}
	if bad {
		return errors.New("every shop should have each of its items once")
	}
	return nil
}

// until waits until something is so.
func until(ctx context.Context, what string, is func() bool) error {
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
