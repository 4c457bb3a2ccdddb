// Package cli is the command line: one file a command, each of which parses flags, calls internal/gateway or, for a weir
// that runs, internal/admin, and prints.
//
//	cli.go      the commands and their order
//	known.go    refusing what is no command
//	exit.go     errors -> exit codes and words
//	config.go   which configuration
//	daemon.go   which weir that runs
//	signals.go  SIGINT, SIGTERM
package cli

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"weir/internal/brokers"
)

// app is what every command has at hand.
type app struct {
	stdout, stderr io.Writer
	open           brokers.Open
	answered       bool  // standard output has its one JSON value
	unwritten      error // the first line of the answer that could not be written
}

// Main runs one command and returns its exit code (sysexits.h, and 130 for interrupted). open makes the brokers.
func Main(args []string, stdout, stderr io.Writer, open brokers.Open) (code int) {
	a := &app{stdout: stdout, stderr: stderr, open: open}
	defer func() {
		if r := recover(); r != nil {
			_, _ = fmt.Fprintf(stderr, "weir: internal error: %v\n%s", r, debug.Stack())
			code = exitInternal
		}
	}()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteC()
	var done *outcome
	switch {
	case err == nil && a.unwritten != nil: // on a full disk half of an answer is left
		a.say("weir: the answer is not whole: %v", a.unwritten)
		return exitFailed
	case err == nil:
		return exitOK
	case errors.As(err, &done):
		return a.explain(done.err, wantsJSON(command))
	}
	// cobra did not come as far as the command itself.
	a.say("weir: %v\nUsage: %s\nSee %s --help.", err, command.UseLine(), command.CommandPath())
	return exitUsage
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "Joins message brokers: federation, shovels and overflow between RabbitMQ and NATS JetStream",
		Long: `Joins message brokers: federation, shovels and overflow between RabbitMQ and NATS JetStream.

Exit codes: 0 done, 1 failed, 2 plan has found differences or status --fail something that is not as it should be,
64 wrong arguments, 65 what was named is not there, 69 a broker or the weir that runs cannot be reached, 70 internal
error, 75 try again, 78 the configuration has mistakes, 130 interrupted.`,
		Version:       Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "operate", Title: "Operate a weir that runs:"},
		&cobra.Group{ID: "once", Title: "Once:"},
	)
	root.SetCompletionCommandGroupID("once")
	root.SetHelpCommandGroupID("once")
	for group, commands := range map[string][]*cobra.Command{
		"run": {a.runCommand(), a.checkCommand(), a.schemaCommand(), a.demoCommand()},
		"operate": {
			a.statusCommand(), a.topCommand(), a.traceCommand(), a.planCommand(), a.reloadCommand(), a.pauseCommand(),
			a.resumeCommand(), a.overflowCommand(), a.gcCommand(),
		},
		"once": {a.moveCommand(), a.importCommand(), a.versionCommand()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	refuseUnknown(root)
	return root
}

// say writes a line for people to standard error.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}

// print writes a line of the answer to standard output.
func (a *app) print(format string, args ...any) {
	if _, err := fmt.Fprintf(a.stdout, format+"\n", args...); err != nil && a.unwritten == nil {
		a.unwritten = err
	}
}
