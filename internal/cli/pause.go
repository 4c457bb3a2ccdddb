package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/admin"
	"weir/link"
)

// drainPatience is more than a drain takes, unless drain-timeout is far beyond its default.
const drainPatience = 30 * time.Second

func (a *app) pauseCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:               "pause LINK",
		Short:             "Stop a link, drained, until it is resumed",
		Long:              "Stop a link: what is in flight is brought over first. It stays paused across reloads, until `weir resume`, or a restart.",
		Args:              named(cobra.ExactArgs(1)),
		ValidArgsFunction: linkNames,
		RunE: act(func(cmd *cobra.Command, args []string) error {
			client := daemon(cmd)
			s, err := client.Pause(cmd.Context(), args[0], reason)
			if err == nil {
				s, err = drained(cmd.Context(), client, s)
			}
			switch {
			case err != nil:
				return err
			case s.State == link.Paused:
				a.print("%s is paused (%s)", printable(s.Name), printable(s.Reason))
			case s.State == link.Finished:
				a.print("%s has finished already", printable(s.Name))
			default:
				a.print("%s is %s still, and pauses when what is in flight has been brought over", printable(s.Name), s.State)
			}
			return nil
		}),
	}
	daemonFlags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for status")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "resume LINK",
		Short:             "Let a paused link run",
		Args:              named(cobra.ExactArgs(1)),
		ValidArgsFunction: linkNames,
		RunE: act(func(cmd *cobra.Command, args []string) error {
			s, err := daemon(cmd).Resume(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a.print("%s is resumed", printable(s.Name))
			return nil
		}),
	}
	daemonFlags(cmd)
	return cmd
}

// drained waits, for drainPatience at most, until a link that was told to pause has brought over what is in flight.
func drained(ctx context.Context, client *admin.Client, s link.Status) (link.Status, error) {
	patience := time.NewTimer(drainPatience)
	defer patience.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for s.State != link.Paused && s.State != link.Finished {
		select {
		case <-tick.C:
		case <-patience.C:
			return s, nil
		}
		var err error
		if s, err = client.Link(ctx, s.Name); err != nil {
			return s, err
		}
	}
	return s, nil
}
