package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) pauseCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:               "pause LINK",
		Short:             "Stop a link, drained, until it is resumed",
		Long:              "Stop a link: what is in flight is brought over first. It stays paused across reloads, until `weir resume`, or a restart.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: linkNames,
		RunE: act(func(cmd *cobra.Command, args []string) error {
			s, err := daemon(cmd).Pause(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			a.print("%s is paused (%s)", printable(s.Name), orDefault(reason, "by hand"))
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
		Args:              cobra.ExactArgs(1),
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

func orDefault(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
