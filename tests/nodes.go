package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/tests/lab"
)

// getAll gets every version of RabbitMQ, and the other programs that tests need, where they are missing, side by side.
// Debian unstable may not install on a given day: then a line says so, and the tests of "newest" skip with the reason.
func getAll(ctx context.Context) error {
	versions := lab.Versions()
	errs := make([]error, len(versions)+2)
	var wait sync.WaitGroup
	wait.Go(func() { errs[len(versions)] = getBrowser(ctx) })
	wait.Go(func() { errs[len(versions)+1] = getTools(ctx) })
	for i, version := range versions {
		wait.Go(func() { errs[i] = getBroker(ctx, version) })
	}
	wait.Wait()
	for _, err := range errs {
		if errors.Is(err, lab.ErrNotInstalled) { // one line says what to run, for all of them
			return err
		}
	}
	return errors.Join(errs...)
}

func getBrowser(ctx context.Context) error {
	var said bytes.Buffer
	release, err := lab.InstallChromium(ctx, &said)
	if err != nil {
		_, _ = os.Stderr.Write(said.Bytes())
		return err
	}
	fmt.Printf("Chromium: have %s\n", release)
	return nil
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
	case version == "newest" && !errors.Is(err, lab.ErrNotInstalled) && ctx.Err() == nil:
		fmt.Printf("going on without the newest RabbitMQ: %v\n", err)
		return nil
	default:
		_, _ = os.Stderr.Write(said.Bytes())
	}
	return err
}

// nodes is the lab while it starts and runs.
type nodes struct {
	file    string // names the brokers to the tests
	lab     lab.Shared
	started sync.WaitGroup

	mu      sync.Mutex
	brokers map[string]*lab.Broker // by version
	errs    []error
}

// startNodes gets the brokers and starts one node of each version, side by side, and describes them in the file, or a temporary
// one without a name, as they come up.
func startNodes(ctx context.Context, file string) (*nodes, error) {
	if err := getAll(ctx); err != nil {
		return nil, err
	}
	if file == "" {
		f, err := os.CreateTemp("", "weir-lab-*.json")
		if err != nil {
			return nil, err
		}
		file = f.Name()
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	n := &nodes{file: file, brokers: make(map[string]*lab.Broker)}
	for _, version := range lab.Versions() {
		n.started.Go(func() { n.start(ctx, version) })
	}
	return n, nil
}

func (n *nodes) start(ctx context.Context, version string) {
	broker, err := n.lab.Start(ctx, version)
	if version == "newest" && errors.Is(err, lab.ErrNotInstalled) { // getAll has said why
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.brokers[version] = broker
		err = lab.Write(n.file, n.brokers)
	}
	n.errs = append(n.errs, err)
}

// wait returns when every node is up or has failed.
func (n *nodes) wait() error {
	n.started.Wait()
	return errors.Join(n.errs...)
}

// stop ends every node, also while they start if ctx has ended.
func (n *nodes) stop() {
	n.started.Wait()
	n.lab.Stop()
	_ = os.Remove(n.file)
}
