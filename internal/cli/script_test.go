package cli_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/cli"
)

// The scripts run this test binary as weir, with brokers in its memory that a file called brokers describes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": weir})
}

// weir is one run of the command. With the variable RUN, what a script cannot see of a command in the background lands in
// files of that name: its standard error in .log, its exit code in .exit, what the brokers hold in the end in .after.
func weir() {
	lab := newLab()
	run := os.Getenv("RUN")
	if run == "" {
		os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, lab.open))
	}
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	log, err := os.Create(run + ".log")
	check(err)
	code := cli.Main(os.Args[1:], os.Stdout, log, lab.open)
	check(os.WriteFile(run+".after", []byte(lab.holds()), 0o600))
	check(os.WriteFile(run+".exit", fmt.Appendln(nil, code), 0o600))
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/home")
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"await":  await,
			"until":  until,
			"signal": sendSignal,
			"hear":   hear,
		},
	})
}

// exits CODE PROGRAM ARGS...: the program ends with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// await REGEXP FILE: waits until the file is there and matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await REGEXP FILE")
	}
	file := ts.MkAbs(args[1])
	eventually(ts, args[0], func() string {
		text, _ := os.ReadFile(file)
		return string(text)
	})
}

// until REGEXP PROGRAM ARGS...: runs the program again and again until its output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARGS...")
	}
	eventually(ts, args[0], func() string {
		_ = ts.Exec(args[1], args[2:]...) // it may not succeed yet
		return ts.ReadFile("stdout") + ts.ReadFile("stderr")
	})
}

func eventually(ts *testscript.TestScript, expression string, look func() string) {
	want := regexp.MustCompile("(?m)" + expression)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var text string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if text = look(); want.MatchString(text) {
			return
		}
	}
	ts.Fatalf("no match for %q in:\n%s", expression, text)
}

// signal HUP|TERM|INT: to the command in the background.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	known := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 1 || known[args[0]] == nil {
		ts.Fatalf("usage: signal HUP|TERM|INT")
	}
	for _, background := range ts.BackgroundCmds() {
		ts.Check(background.Process.Signal(known[args[0]]))
	}
}

// hear SOCKET FILE: writes what is sent to the socket, which it makes, into the file, as systemd would hear it.
func hear(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hear SOCKET FILE")
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unixgram"})
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		message := make([]byte, 4096)
		for {
			n, err := socket.Read(message)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(file, "%s\n\n", message[:n])
		}
	}()
	ts.Defer(func() {
		_ = socket.Close()
		<-done
		_ = file.Close()
	})
}
