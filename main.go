// weir moves messages between brokers. See README.md.
package main

import (
	"os"

	"weir/internal/cli"
	"weir/internal/drivers"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, drivers.Open(cli.Version())))
}
