package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// knownCommand refuses what is no command; cobra's own refusal suggests nothing.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	cure := ""
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		cure = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q%s", args[0], cure)
}

// refuseUnknown has cobra's own commands refuse what they do not know, too: they print help in place of it, and succeed.
func refuseUnknown(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				topic, rest, err := root.Find(args)
				if err != nil {
					return err
				}
				return knownCommand(topic, rest)
			}
		case "completion": // which has no arguments, but is asked for them only if it can run
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}
