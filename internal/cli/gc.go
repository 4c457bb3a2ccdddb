package cli

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"weir/internal/admin"
	"weir/internal/gateway"
)

func (a *app) gcCommand() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "List what federation and shovels have left on brokers, and remove it",
		Long: `List what federation and shovels have left on brokers, and remove it.

weir never deletes a queue by itself that may hold messages: the buffer that an edited policy or upstream no longer asks
for stays where it is, and so does the queue through which a shovel that is gone has read an exchange. Without --yes this only says what would be done. A buffer that holds messages, or has a consumer, is kept
unless --force is given too; its messages are lost then. Exit code 1 if one was kept.`,
		Args: cobra.NoArgs,
	}
	daemonFlags(cmd)
	output := outputFlag(cmd, "table", "json")
	cmd.Flags().BoolVar(&yes, "yes", false, "remove them")
	cmd.Flags().BoolVar(&force, "force", false, "with --yes, remove also those that hold messages")
	cmd.RunE = act(func(cmd *cobra.Command, _ []string) error {
		if err := output.check(); err != nil {
			return err
		}
		if force && !yes {
			return exit{exitUsage, errors.New("--force loses messages, and does so only together with --yes")}
		}
		client := daemon(cmd)
		found, err := client.Leftovers(cmd.Context())
		if err != nil {
			return err
		}
		list := make([]leftover, len(found.Leftovers))
		for i, l := range found.Leftovers {
			list[i] = planned(l)
			if yes {
				err := client.Remove(cmd.Context(), admin.Removal{Broker: l.Broker, Name: l.Name, Force: force})
				list[i].removed(err)
			}
		}
		if output.is("json") {
			if err := a.printJSON(collection{list, found.Problem}); err != nil {
				return err
			}
		} else {
			a.printLeftovers(list, yes)
		}
		return kept(list, found.Problem, yes)
	})
	return cmd
}

// collection is what gc has found and done, for programs.
type collection struct {
	Leftovers []leftover `json:"leftovers"`
	// Problem is why some brokers could not be asked.
	Problem string `json:"problem,omitempty"`
}

// leftover is a buffer, and what becomes of it.
type leftover struct {
	gateway.Leftover
	// Done is "removed", "kept", or what --yes would do: "remove", "keep".
	Done string `json:"done"`
	// Why is why it is kept.
	Why string `json:"why,omitempty"`
}

// planned is what --yes would do.
func planned(l gateway.Leftover) leftover {
	switch {
	case l.Messages == nil:
		return leftover{l, "keep", "nobody knows what it holds"}
	case *l.Messages > 0:
		return leftover{l, "keep", "it holds messages"}
	}
	return leftover{l, "remove", ""}
}

func (l *leftover) removed(err error) {
	l.Done, l.Why = "removed", ""
	if err != nil {
		l.Done, l.Why = "kept", err.Error()
	}
}

func (a *app) printLeftovers(list []leftover, yes bool) {
	if len(list) == 0 {
		a.print("nothing is left over")
		return
	}
	t := plainTable()
	t.AppendHeader(table.Row{"broker", "buffer", "exchange", "messages", "action", "reason"})
	for _, l := range list {
		messages := "unknown"
		if l.Messages != nil {
			messages = comma(*l.Messages)
		}
		t.AppendRow(table.Row{printable(l.Broker), printable(l.Name), printable(l.Exchange), messages, l.Done, printable(l.Why)})
	}
	a.print("%s", t.Render())
	if !yes {
		a.print("\nNothing was removed. --yes does what is said here; --yes --force removes those with messages too.")
	}
}

// kept is the error of a gc that has not done everything.
func kept(list []leftover, problem string, yes bool) error {
	n := 0
	for _, l := range list {
		if l.Done == "kept" {
			n++
		}
	}
	switch {
	case problem != "":
		return exit{exitFailed, fmt.Errorf("some brokers could not be asked: %s", problem)}
	case yes && n > 0:
		return exit{exitFailed, fmt.Errorf("%s kept", count(n, "buffer"))}
	}
	return nil
}
