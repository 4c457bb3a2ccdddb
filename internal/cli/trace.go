package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/telemetry"
)

func (a *app) traceCommand() *cobra.Command {
	var jaeger, service string
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Show where a message has been: each hop, how long it waited there, and why it went on",
		Long: `Show where a message has been: each hop, how long it waited there, and why it went on.

ID is a message-id or the id of a trace. A weir that runs remembers the last hops of messages that it has followed (those
whose trace is sampled, and a share of the others: telemetry.traces.ratio). With --jaeger the whole trace is read from
Jaeger, with what other applications and other gateways have added to it.`,
		Args: named(cobra.ExactArgs(1)),
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "tree", "json")
	cmd.Flags().StringVar(&jaeger, "jaeger", "", "address of Jaeger's API, such as http://localhost:16686")
	cmd.Flags().StringVar(&service, "service", "weir", "with --jaeger and a message-id: the service whose spans carry it")
	cmd.RunE = act(func(cmd *cobra.Command, args []string) error {
		if err := output.check(); err != nil {
			return err
		}
		if jaeger != "" {
			return a.traceFromJaeger(cmd.Context(), jaegerAPI{url: jaeger, service: service}, args[0], output.is("json"))
		}
		hops, err := daemon(cmd).Hops(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if len(hops) == 0 {
			return exit{exitData, fmt.Errorf("no hop of %q is remembered: it did not pass here, was not followed, or others have come since; --jaeger asks Jaeger", args[0])}
		}
		if output.is("json") {
			return a.printJSON(hops)
		}
		for _, h := range hops {
			a.printHop(h)
		}
		return nil
	})
	return cmd
}

func (a *app) printHop(h telemetry.Hop) {
	a.print("%s  %s -> %s  by %s (%s): %s", h.At.Local().Format("2006-01-02 15:04:05.000"),
		printable(h.Source), printable(h.Destination), printable(h.Link), h.Kind, printable(h.Outcome))
	var parts []string
	if h.WaitSeconds != nil {
		parts = append(parts, fmt.Sprintf("waited %s (%s)", brief(seconds(*h.WaitSeconds)), printable(h.WaitFrom)))
	}
	if h.ConfirmSeconds > 0 {
		parts = append(parts, "confirmed in "+brief(seconds(h.ConfirmSeconds)))
	}
	if h.Attempts > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", h.Attempts))
	}
	if h.Why != "" {
		parts = append(parts, printable(h.Why))
	}
	if h.TraceID != "" {
		parts = append(parts, "trace "+printable(h.TraceID))
	}
	if len(parts) > 0 {
		a.print("  %s", strings.Join(parts, "; "))
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// brief is a duration with three digits or so.
func brief(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
