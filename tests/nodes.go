package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"weir/tests/lab"
)

// getBrokers gets every version of RabbitMQ that is missing, side by side. Debian unstable may not install on a given day: then a
// line says so, and the tests of "newest" skip with the reason.
func getBrokers(ctx context.Context) error {
	versions := lab.Versions()
	errs := make([]error, len(versions))
	var wait sync.WaitGroup
	for i, version := range versions {
		wait.Go(func() { errs[i] = getBroker(ctx, version) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func getBroker(ctx context.Context, version string) error {
	var said bytes.Buffer
	begin := time.Now()
	release, err := lab.Install(ctx, version, &said)
	switch {
	case err == nil && said.Len() > 0:
		fmt.Printf("RabbitMQ %s: installed %s in %s\n", version, release, time.Since(begin).Round(time.Second))
	case err == nil:
		fmt.Printf("RabbitMQ %s: have %s\n", version, release)
	case version == "newest" && said.Len() > 0:
		fmt.Printf("RabbitMQ newest: none today, going on without: %v: %s\n", err, lastLine(said.Bytes()))
		return nil
	}
	if err != nil {
		_, _ = os.Stderr.Write(said.Bytes())
	}
	return err
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

// nodes is the lab while it starts and runs.
type nodes struct {
	lab.Shared

	started sync.WaitGroup
	mu      sync.Mutex
	brokers map[string]*lab.Broker // by version
	errs    []error
}

// startNodes starts one node of each version, side by side, and describes them in the file as they come up.
func startNodes(ctx context.Context, file string) *nodes {
	n := &nodes{brokers: make(map[string]*lab.Broker)}
	for _, version := range lab.Versions() {
		n.started.Go(func() {
			broker, err := n.Start(ctx, version)
			n.mu.Lock()
			defer n.mu.Unlock()
			switch {
			case err == nil:
				n.brokers[version] = broker
				err = lab.Write(file, n.brokers)
			case version == "newest" && errors.Is(err, lab.ErrNotInstalled): // getBrokers has said why
				err = nil
			}
			n.errs = append(n.errs, err)
		})
	}
	return n
}

// wait returns when every node is up or has failed.
func (n *nodes) wait() error {
	n.started.Wait()
	return errors.Join(n.errs...)
}
