package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"weir/link"
)

func (a *app) overflowCommand() *cobra.Command {
	modes := []string{string(link.On), string(link.Off), string(link.Auto)}
	cmd := &cobra.Command{
		Use:   "overflow SHOVEL on|off|auto",
		Short: "Switch the overflow of a shovel by hand, or give it back to its thresholds",
		Args:  named(cobra.ExactArgs(2)),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return modes, cobra.ShellCompDirectiveNoFileComp
			}
			return linkNames(cmd, args, word)
		},
		RunE: act(func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(modes, args[1]) {
				return exit{exitUsage, fmt.Errorf("overflow is on, off or auto, not %q", args[1])}
			}
			s, err := daemon(cmd).Override(cmd.Context(), args[0], link.Mode(args[1]))
			if err != nil {
				return err
			}
			a.print("overflow of %s is %s", printable(s.Name), s.Overflow.Mode)
			return nil
		}),
	}
	daemonFlags(cmd)
	return cmd
}
