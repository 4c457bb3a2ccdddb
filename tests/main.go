// Command tests runs every test of weir against real brokers, from a fresh clone with nothing but Go:
//
//	go run ./tests                             get RabbitMQ and what else is missing, start one node of each version, vet, test, stop
//	go run ./tests -- -run Overflow ./shovel   the same with arguments for go test
//	go run ./tests -lab                        start the nodes, print their URIs, keep them until Ctrl-C
//	go run ./tests -install                    only get what is missing
//
// See package lab for what it starts and where it puts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"weir/tests/lab"
)

func main() {
	install := flag.Bool("install", false, "only get what is missing, then exit")
	keep := flag.Bool("lab", false, "start the nodes, print their URIs and keep them until Ctrl-C")
	file := flag.String("file", "", "with -lab: describe the nodes in this `file`, for tests with "+lab.Variable+"=file (default a new temporary file)")
	short := flag.Bool("short", false, "leave out the tests that take long")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *install:
		err = getAll(ctx)
	case *keep:
		err = keepLab(ctx, *file)
	default:
		err = runTests(ctx, *short, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		os.Exit(1)
	}
}

// keepLab starts the nodes and keeps them until ctx ends.
func keepLab(ctx context.Context, file string) error {
	nodes, err := startNodes(ctx, file)
	if err != nil {
		return err
	}
	defer nodes.stop()
	if err := nodes.wait(); err != nil {
		return err
	}
	for _, version := range lab.Versions() {
		if b := nodes.brokers[version]; b != nil {
			fmt.Printf("RabbitMQ %s: %s  management %s (user %s, password %s)\n", b.Release, b.URIs()[0], b.Management()[0], b.Username, b.Password)
		}
	}
	fmt.Printf("export %s=%s\n", lab.Variable, nodes.file)
	<-ctx.Done()
	return nil
}

// runTests vets and tests with the nodes up.
func runTests(ctx context.Context, short bool, args []string) error {
	nodes, err := startNodes(ctx, "")
	if err != nil {
		return err
	}
	defer nodes.stop()
	vet := goTool(ctx, "vet", "./...").Run() // while the nodes start
	if err := nodes.wait(); err != nil {
		return err
	}
	if vet != nil {
		return fmt.Errorf("go vet: %w", vet)
	}
	test := goTool(ctx, append(testArguments(short), packagesFirst(args)...)...)
	test.Env = append(os.Environ(), lab.Variable+"="+nodes.file)
	if err := test.Run(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}
