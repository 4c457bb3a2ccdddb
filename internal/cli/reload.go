package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/gateway"
)

func (a *app) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a weir that runs read its configuration again",
		Long:  "Have a weir that runs read its configuration again, and print what changed. With any mistake in it nothing changes.",
		Args:  cobra.NoArgs,
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = act(func(cmd *cobra.Command, _ []string) error {
		if err := output.check(); err != nil {
			return err
		}
		c, err := daemon(cmd).Reload(cmd.Context())
		if err != nil {
			return err
		}
		if output.is("json") {
			return a.printJSON(c)
		}
		a.printChanges(c)
		return nil
	})
	return cmd
}

func (a *app) printChanges(c gateway.Changes) {
	for _, w := range c.Warnings {
		a.say("%s", printable(w.String()))
	}
	for _, part := range []struct {
		word  string
		names []string
	}{{"started", c.Started}, {"restarted", c.Restarted}, {"stopped", c.Stopped}} {
		if len(part.names) > 0 {
			a.print("%-10s %s", part.word, printable(strings.Join(part.names, ", ")))
		}
	}
	a.print("%-10s %s", "kept", count(len(c.Kept), "shovel"))
	if len(c.Federation) > 0 {
		a.print("%-10s %s: federated links follow within seconds", "changed", printable(strings.Join(c.Federation, ", ")))
	}
	if len(c.Waiting) > 0 {
		a.print("changed, and waiting for a restart of weir: %s", strings.Join(c.Waiting, ", "))
	}
}
