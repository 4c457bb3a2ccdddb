package cli

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"weir/broker"
	"weir/configs"
	"weir/internal/admin"
	"weir/internal/gateway"
)

// The exit codes: those of sysexits.h, as RabbitMQ's tools use them, and the shell's for an interrupt.
const (
	exitOK          = 0
	exitFailed      = 1
	exitDifferent   = 2 // plan has found differences, status --fail something that is not as it should be
	exitUsage       = 64
	exitData        = 65 // what was named is not there
	exitUnreachable = 69 // a broker, or the weir that runs
	exitInternal    = 70
	exitTryAgain    = 75
	exitConfig      = 78
	exitInterrupted = 130
)

// exit is an error that knows its code. Without an error everything has been said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// outcome is the error of a command that did run; what cobra finds before is a mistake in the arguments.
type outcome struct{ err error }

func (o *outcome) Error() string { return o.err.Error() }

// act makes the RunE of a command.
func act(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return &outcome{err}
		}
		return nil
	}
}

// explain prints an error as its reader needs it, and returns its code. A program that reads JSON gets the error in place of
// the answer, unless the answer is there already.
func (a *app) explain(err error, asJSON bool) int {
	code, why := codeOf(err), failureOf(err)
	switch {
	case why.Error == "":
	case asJSON && !a.answered && code != exitUsage:
		_ = a.printJSON(why) // nobody is left to tell
	default:
		for _, p := range why.Problems {
			a.say("%s", printable(p.String()))
		}
		if mistakes := (configs.Problems)(nil); !errors.As(err, &mistakes) { // which say it all
			a.say("weir: %s", printable(why.Error))
		}
	}
	return code
}

func failureOf(err error) admin.Failure {
	var problems configs.Problems
	var refusal *admin.Refusal
	switch {
	case errors.As(err, &problems):
		return admin.Failure{Error: "the configuration has mistakes", Problems: problems}
	case errors.As(err, &refusal):
		return admin.Failure{Error: refusal.Message, Problems: refusal.Problems}
	}
	return admin.Failure{Error: err.Error()}
}

func codeOf(err error) int {
	var known exit
	var refusal *admin.Refusal
	switch {
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &refusal):
		return codeOfAnswer(refusal.Status)
	case errors.Is(err, configs.ErrNoFile):
		return exitConfig
	case errors.Is(err, admin.ErrNobody), errors.Is(err, gateway.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, gateway.ErrLengthUnknown):
		return exitTryAgain
	case errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrUnsupported):
		return exitData
	}
	return exitFailed
}

// codeOfAnswer translates what the admin API says.
func codeOfAnswer(status int) int {
	switch status {
	case http.StatusNotFound, http.StatusBadRequest:
		return exitData
	case http.StatusUnprocessableEntity:
		return exitConfig
	case http.StatusServiceUnavailable:
		return exitTryAgain
	}
	return exitFailed
}
