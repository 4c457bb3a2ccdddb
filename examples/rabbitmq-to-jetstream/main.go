// Command rabbitmq-to-jetstream moves orders from RabbitMQ into NATS JetStream, where a NATS client reads them, and on into
// an archive on RabbitMQ. Every order must arrive once, in order, and headers must come back with their types.
//
//	go run ./examples/rabbitmq-to-jetstream
//
// It starts a RabbitMQ node and a NATS server, and runs weir with the weir.yaml beside this file. main.go is the story,
// rabbitmq.go and nats.go the applications at both ends.
package main

import (
	"context"
	_ "embed" // of weir.yaml
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"weir/configs"
	"weir/internal/drivers"
	"weir/internal/gateway"
)

//go:embed weir.yaml
var config []byte

const (
	published = 5_000
	patience  = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rabbitmq-to-jetstream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Println("Starting a RabbitMQ node and a NATS server.")
	rabbit, err := startRabbitMQ(ctx)
	if err != nil {
		return err
	}
	defer rabbit.stop()
	nats, err := startNATS(ctx)
	if err != nil {
		return err
	}
	defer nats.stop()
	stopWeir, err := startWeir(ctx, rabbit, nats)
	if err != nil {
		return err
	}
	defer stopWeir()

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	fmt.Printf("\n%d orders are published on RabbitMQ, to the queue orders.\n\n", published)
	if err := rabbit.publish(ctx, published); err != nil {
		return err
	}
	read, err := nats.read(ctx, published)
	if err != nil {
		return fmt.Errorf("read the stream ORDERS: %w", err)
	}
	fmt.Printf("A NATS client has read the stream ORDERS. The first order, as it sees it:\n%s", shown(read[0]))
	archived, err := rabbit.consume(ctx, "orders.archive", published)
	if err != nil {
		return fmt.Errorf("consume the archive: %w", err)
	}
	fmt.Printf("\nThe archive on RabbitMQ is full. The headers of the first order there:\n%s\n", typed(archived[0].Headers))

	var inStream, inArchive []int
	for _, m := range read {
		inStream = append(inStream, number(m.Header.Get("Amqp-Message-Id")))
	}
	for _, d := range archived {
		id := number(d.MessageId)
		if want := order(id); !reflect.DeepEqual(d.Headers, want.Headers) || string(d.Body) != string(want.Body) {
			return fmt.Errorf("order %d was published as %v, %s, and archived as %v, %s", id, want.Headers, want.Body, d.Headers, d.Body)
		}
		inArchive = append(inArchive, id)
	}
	if err := account("In the stream", inStream); err != nil {
		return err
	}
	if err := account("In the archive", inArchive); err != nil {
		return err
	}
	fmt.Println("Bodies, headers and the types of headers are as they were published.")
	return nil
}

// account looks for orders that were lost, came twice, or came out of order.
func account(where string, ids []int) error {
	times := map[int]int{}
	outOfOrder := 0
	for i, id := range ids {
		times[id]++
		if i > 0 && id < ids[i-1] {
			outOfOrder++
		}
	}
	lost, twice := 0, len(ids)-len(times)
	for id := range published {
		if times[id] == 0 {
			lost++
		}
	}
	fmt.Printf("%s: %d orders. Lost: %d. Twice: %d. Out of order: %d.\n", where, len(ids), lost, twice, outOfOrder)
	if lost+twice > 0 {
		return errors.New("every order should have come once")
	}
	return nil
}

// startWeir runs weir in this process, as `weir run -c weir.yaml` would, with the variables of weir.yaml set.
func startWeir(ctx context.Context, rabbit *rabbitMQ, nats *natsServer) (stop func(), err error) {
	variables := map[string]string{
		"RABBITMQ_URI": rabbit.address, "RABBITMQ_USERNAME": rabbit.node.Username, "RABBITMQ_PASSWORD": rabbit.node.Password,
		"NATS_URI": nats.address,
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
