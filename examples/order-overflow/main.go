// Command order-overflow shows what weir is for. Region eu gets 10,000 orders, far more than its consumer can do; weir moves
// what is too much to region us, and stops when eu has recovered. In the end every order must have been consumed once.
//
//	go run ./examples/order-overflow
//
// It starts a RabbitMQ node for each region and runs weir with the weir.yaml beside this file. main.go is the story,
// region.go the applications of the shop.
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

	"golang.org/x/sync/errgroup"

	"weir/configs"
	"weir/internal/drivers"
	"weir/internal/gateway"
	"weir/tests/lab"
)

//go:embed weir.yaml
var config []byte

const (
	published = 10_000
	euPace    = 200  // orders a second that eu's consumer can do
	usPace    = 4000 // us has time
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "order-overflow:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("Starting two RabbitMQ nodes, eu and us.")
	var nodes [2]lab.Shared
	defer nodes[0].Stop()
	defer nodes[1].Stop()
	var eu, us *region
	var starting errgroup.Group
	starting.Go(func() (err error) { eu, err = startRegion(ctx, "eu", &nodes[0]); return err })
	starting.Go(func() (err error) { us, err = startRegion(ctx, "us", &nodes[1]); return err })
	if err := starting.Wait(); err != nil {
		return err
	}
	defer eu.close()
	defer us.close()

	stopWeir, err := startWeir(ctx, eu, us)
	if err != nil {
		return err
	}
	defer stopWeir()

	fmt.Printf("\n%d orders arrive in eu, whose consumer can do %d a second.\n\n", published, euPace)
	shop, ctx := errgroup.WithContext(ctx)
	shop.Go(func() error { return eu.publish(ctx, published) })
	shop.Go(func() error { return eu.consume(ctx, euPace) })
	shop.Go(func() error { return us.consume(ctx, usPace) })
	shop.Go(func() error { return watch(ctx, eu, us) })
	if err := shop.Wait(); !errors.Is(err, errAllConsumed) {
		return err
	}
	return account(eu, us)
}

// startWeir runs weir in this process, as `weir run -c weir.yaml` would, with the variables of weir.yaml set to the two
// nodes.
func startWeir(ctx context.Context, eu, us *region) (stop func(), err error) {
	variables := map[string]string{
		"EU_URI": eu.address, "EU_USERNAME": eu.node.Username, "EU_PASSWORD": eu.node.Password,
		"US_URI": us.address, "US_USERNAME": us.node.Username, "US_PASSWORD": us.node.Password,
	}
	env := func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
	cfg, warnings, err := configs.Parse("weir.yaml", config, env)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	weir, err := gateway.Start(ctx, cfg, warnings, gateway.Options{File: "weir.yaml", Open: drivers.Open("example"), Log: log})
	if err != nil {
		cancel()
		return nil, err
	}
	return func() { cancel(); weir.Wait() }, nil
}

// errAllConsumed ends the story.
var errAllConsumed = errors.New("every order has been consumed")

// watch tells every second how things stand, until every order has been consumed.
func watch(ctx context.Context, eu, us *region) error {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		fmt.Printf("%3.0fs  %v   %v\n", time.Since(began).Seconds(), eu, us)
		switch consumed := len(eu.consumed()) + len(us.consumed()); {
		case consumed >= published && eu.ready()+us.ready() == 0:
			return errAllConsumed
		case time.Since(began) > 2*time.Minute:
			return fmt.Errorf("only %d of %d orders were consumed within two minutes", consumed, published)
		}
	}
}

// account looks for orders that were lost, came twice, or came out of order.
func account(eu, us *region) error {
	times := make([]int, published)
	outOfOrder := 0
	for _, r := range []*region{eu, us} {
		last := -1
		for _, id := range r.consumed() {
			times[id]++
			if id < last {
				outOfOrder++
			}
			last = id
		}
	}
	lost, twice := 0, 0
	for _, n := range times {
		switch {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	fmt.Printf("\n%d orders: eu consumed %d, us %d. Lost: %d. Twice: %d. Out of order: %d.\n",
		published, len(eu.consumed()), len(us.consumed()), lost, twice, outOfOrder)
	if lost+twice > 0 {
		return errors.New("every order should have been consumed once")
	}
	return nil
}
