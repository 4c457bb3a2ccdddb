package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/federation"
	"weir/internal/admin"
	"weir/internal/gateway"
	"weir/link"
)

func (a *app) statusCommand() *cobra.Command {
	var onlyDown, fail bool
	cmd := &cobra.Command{
		Use:               "status [LINK]",
		Short:             "Show the links of a weir that runs, or all about one",
		Args:              named(cobra.MaximumNArgs(1)),
		ValidArgsFunction: linkNames,
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "table", "wide", "json")
	cmd.Flags().BoolVar(&onlyDown, "only-down", false, "only links that do not do what they should")
	cmd.Flags().BoolVar(&fail, "fail", false, "exit code 2 if a link does not do what it should, a policy has a problem, or the last configuration was refused")
	cmd.RunE = act(func(cmd *cobra.Command, args []string) error {
		if err := output.check(); err != nil {
			return err
		}
		var down []string
		var err error
		if len(args) == 1 {
			down, err = a.linkStatus(cmd, args[0], output.is("json"))
		} else {
			down, err = a.status(cmd, onlyDown, output)
		}
		if err == nil && fail && len(down) > 0 {
			err = exit{exitDifferent, fmt.Errorf("not as it should be: %s", strings.Join(down, ", "))}
		}
		return err
	})
	return cmd
}

// status prints all links, and returns what is not as it should be.
func (a *app) status(cmd *cobra.Command, onlyDown bool, output *output) (down []string, err error) {
	s, err := daemon(cmd).Status(cmd.Context())
	if err != nil {
		return nil, err
	}
	for _, l := range s.Links {
		down = append(down, downName(l)...)
	}
	for _, p := range s.Problems {
		down = append(down, problemText(p))
	}
	if s.Config.Rejected != nil { // mostly one that weir would not start with, which must not show at the next start only
		down = append(down, "the last configuration was refused")
	}
	if onlyDown {
		s.Links = slices.DeleteFunc(s.Links, func(l link.Status) bool { return admin.Up(l.State) })
	}
	if output.is("json") {
		return down, a.printJSON(s)
	}
	a.printConfigStatus(s.Config)
	for _, p := range s.Problems {
		a.print("%s\n", printable(problemLine(p, time.Now())))
	}
	switch {
	case len(s.Links) > 0:
		a.print("%s", linkTable(s.Links, output.is("wide"), a.colours(), time.Now()))
	case onlyDown:
		a.print("no link is down")
	default:
		a.print("no links")
	}
	return down, nil
}

// downName is the name of a link that does not do what it should, and why.
func downName(l link.Status) []string {
	if admin.Up(l.State) {
		return nil
	}
	text := fmt.Sprintf("%s is %s", l.Name, l.State)
	if l.Reason != "" {
		text += " (" + l.Reason + ")"
	}
	return []string{text}
}

// problemText says what keeps a policy from making links.
func problemText(p federation.Problem) string {
	text := p.Text
	if p.Broker != "" {
		text = "broker " + p.Broker + ": " + text
	}
	if p.Policy != "" {
		text = "policy " + p.Policy + ": " + text
	}
	return text
}

// problemLine says it with since when, and what happens next.
func problemLine(p federation.Problem, now time.Time) string {
	text := problemText(p) + "; for " + since(p.Since, now)
	if next := p.NextTry.Sub(now); next > 0 {
		text += fmt.Sprintf("; next try in %s", next.Round(time.Second))
	}
	return text
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
		if len(r.Problems) > 0 {
			a.print("Mend it, then `weir reload`: weir would not start again with it as it is.")
		}
		a.print("")
	}
	if len(c.Waiting) > 0 {
		a.print("Changed, and waiting for a restart of weir: %s\n", strings.Join(c.Waiting, ", "))
	}
}

func (a *app) linkStatus(cmd *cobra.Command, name string, asJSON bool) (down []string, err error) {
	l, err := daemon(cmd).Link(cmd.Context(), name)
	if err != nil {
		return nil, err
	}
	if asJSON {
		return downName(l), a.printJSON(l)
	}
	a.print("%s", linkDetails(l, a.colours(), time.Now()))
	return downName(l), nil
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
