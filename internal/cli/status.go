package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/gateway"
	"weir/link"
)

func (a *app) statusCommand() *cobra.Command {
	var onlyDown bool
	cmd := &cobra.Command{
		Use:               "status [LINK]",
		Short:             "Show the links of a weir that runs, or all about one",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: linkNames,
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "table", "wide", "json")
	cmd.Flags().BoolVar(&onlyDown, "only-down", false, "only links that do not do what they should")
	cmd.RunE = act(func(cmd *cobra.Command, args []string) error {
		if err := output.check(); err != nil {
			return err
		}
		if len(args) == 1 {
			return a.linkStatus(cmd, args[0], output.is("json"))
		}
		return a.status(cmd, onlyDown, output)
	})
	return cmd
}

func (a *app) status(cmd *cobra.Command, onlyDown bool, output *output) error {
	s, err := daemon(cmd).Status(cmd.Context())
	if err != nil {
		return err
	}
	if onlyDown {
		s.Links = slices.DeleteFunc(s.Links, func(l link.Status) bool { return up(l.State) })
	}
	if output.is("json") {
		return a.printJSON(s)
	}
	a.printConfigStatus(s.Config)
	switch {
	case len(s.Links) > 0:
		a.print("%s", linkTable(s.Links, output.is("wide"), a.colours(), time.Now()))
	case onlyDown:
		a.print("no link is down")
	default:
		a.print("no links")
	}
	return nil
}

// printConfigStatus tells what is wrong with the configuration; that it is in force goes without saying.
func (a *app) printConfigStatus(c gateway.ConfigStatus) {
	if r := c.Rejected; r != nil {
		a.print("The configuration read %s ago was refused; the one of %s is in force:",
			since(r.At, time.Now()), c.LoadedAt.Local().Format(time.DateTime))
		if len(r.Problems) == 0 {
			a.print("  %s", printable(r.Error))
		}
		for _, p := range r.Problems {
			a.print("  %s", printable(p.String()))
		}
		a.print("")
	}
	if len(c.Waiting) > 0 {
		a.print("Changed, and waiting for a restart of weir: %s\n", strings.Join(c.Waiting, ", "))
	}
}

func (a *app) linkStatus(cmd *cobra.Command, name string, asJSON bool) error {
	l, err := daemon(cmd).Link(cmd.Context(), name)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(l)
	}
	a.print("%s", linkDetails(l, a.colours(), time.Now()))
	return nil
}

// up tells whether a link does what it should; waiting for its turn is part of that.
func up(s link.State) bool {
	switch s {
	case link.Running, link.Idle, link.Shut, link.Standby, link.Finished:
		return true
	}
	return false
}

// since is how long ago something was, as 3m12s or 2d4h.
func since(then, now time.Time) string {
	d := now.Sub(then)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
