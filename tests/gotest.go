package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// goTool is a go command that shows what it does and says so before it starts. When ctx ends it gets a chance to stop its tests.
func goTool(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	fmt.Println("+ go", strings.Join(args, " "))
	return cmd
}

// testTimeout is for one package on a slow machine; go test's own 10 minutes are short for the drivers.
const testTimeout = 30 * time.Minute

// testArguments are those of go test before what the caller adds. The race detector needs a C compiler.
func testArguments(short bool) []string {
	args := []string{"test", "-shuffle=on", "-timeout", testTimeout.String()}
	if cc, err := exec.Command("go", "env", "CC").Output(); err != nil || !runnable(strings.TrimSpace(string(cc))) {
		fmt.Println("no C compiler: testing without the race detector")
	} else {
		args = append(args, "-race")
	}
	if short {
		args = append(args, "-short")
	}
	return args
}

func runnable(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// packagesFirst puts all packages in front if the caller named none.
func packagesFirst(args []string) []string {
	named := func(arg string) bool { return strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "weir/") }
	if slices.ContainsFunc(args, named) {
		return args
	}
	return append([]string{"./..."}, args...)
}
