package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"weir/tests/lab"
)

// getTools gets the other servers that tests start, side by side.
func getTools(ctx context.Context) error {
	installs := []struct {
		name string
		get  func(context.Context, io.Writer) error
	}{
		{"Jaeger", lab.InstallJaeger},
		{"Prometheus", lab.InstallPrometheus},
		{"HAProxy", lab.InstallHAProxy},
		{"keepalived", lab.InstallKeepalived},
	}
	errs := make([]error, len(installs))
	var wait sync.WaitGroup
	for i, install := range installs {
		wait.Go(func() {
			var said bytes.Buffer
			begin := time.Now()
			errs[i] = install.get(ctx, &said)
			switch {
			case errs[i] != nil:
				_, _ = os.Stderr.Write(said.Bytes())
			case said.Len() > 0:
				fmt.Printf("%s: installed in %s\n", install.name, time.Since(begin).Round(time.Second))
			default:
				fmt.Printf("%s: have it\n", install.name)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
