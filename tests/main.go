// Command tests runs every test of weir against real brokers, from a fresh clone with nothing but Go:
//
//	go run ./tests                             get RabbitMQ where it is missing, start one node of each version, vet, test, stop
//	go run ./tests -- -run Overflow ./shovel   the same with arguments for go test
//	go run ./tests -lab                        start the nodes, print their URIs, keep them until Ctrl-C
//	go run ./tests -install                    only get RabbitMQ
//
// See package lab for what it starts and where it puts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"weir/tests/lab"
)

func main() {
	install := flag.Bool("install", false, "only get RabbitMQ, then exit")
	keep := flag.Bool("lab", false, "start the nodes, print their URIs and keep them until Ctrl-C")
	file := flag.String("file", "", "with -lab: describe the nodes in this `file`, for tests with "+lab.Variable+"=file (default a new temporary file)")
	short := flag.Bool("short", false, "leave out the tests that take long")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *install:
		err = getBrokers(ctx)
	case *keep:
		err = keepLab(ctx, *file)
	default:
		err = runTests(ctx, *short, flag.Args())
	}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) { // it has said why
		os.Exit(max(failed.ExitCode(), 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		os.Exit(1)
	}
}

// keepLab starts the nodes and keeps them until ctx ends.
func keepLab(ctx context.Context, file string) error {
	if err := getBrokers(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weir-tests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a temporary folder
	if file == "" {
		file = filepath.Join(dir, "lab.json")
	}
	defer os.Remove(file) //nolint:errcheck // may be gone
	nodes := startNodes(ctx, file)
	defer nodes.Stop()
	if err := nodes.wait(); err != nil {
		return err
	}
	for _, version := range lab.Versions() {
		if b := nodes.brokers[version]; b != nil {
			fmt.Printf("RabbitMQ %-7s %s  %s  management %s\n", b.Release, b.URIs()[0], b.Authority.CAFile, b.Management()[0])
		}
	}
	fmt.Printf("export %s=%s\n", lab.Variable, file)
	<-ctx.Done()
	return nil
}

// runTests vets and tests with the nodes up. The result is the exit of go test.
func runTests(ctx context.Context, short bool, args []string) error {
	if err := getBrokers(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weir-tests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is a temporary folder
	file := filepath.Join(dir, "lab.json")
	nodes := startNodes(ctx, file)
	defer nodes.Stop()
	vet := goTool(ctx, "vet", "./...").Run() // while the nodes start
	if err := errors.Join(nodes.wait(), vet); err != nil {
		return err
	}
	test := goTool(ctx, append(testArguments(short), packagesFirst(args)...)...)
	test.Env = append(os.Environ(), lab.Variable+"="+file)
	return test.Run()
}
