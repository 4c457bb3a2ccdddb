package cli

import (
	"errors"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"weir/configs"
	"weir/internal/gateway"
)

// checked is what check says, as JSON.
type checked struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Brokers  int              `json:"brokers"`
	Shovels  int              `json:"shovels"`
	Policies int              `json:"policies"`
	Problems configs.Problems `json:"problems"`
}

func (a *app) checkCommand() *cobra.Command {
	var connect, strict bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a configuration; with --connect also the brokers",
		Long: `Check a configuration and print every mistake in it, as file:line:column: place: what is wrong.

With --connect every broker is dialled (embedded ones are left out) and asked for the queues, exchanges and permissions
that shovels need, and for what federation and measuring ask it while they run. Nothing is consumed or declared. Exit
codes: 78 for mistakes, 69 if a broker could not be reached.`,
		Aliases: []string{"validate"},
		Args:    named(cobra.MaximumNArgs(1)),
	}
	configFlags(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.Flags().BoolVar(&connect, "connect", false, "dial the brokers and look for queues, exchanges and permissions")
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings for mistakes")
	cmd.RunE = act(func(cmd *cobra.Command, args []string) error {
		if err := output.check(); err != nil {
			return err
		}
		if err := argumentFile(cmd, args); err != nil {
			return err
		}
		return a.check(cmd, connect, strict, output.is("json"))
	})
	return cmd
}

func (a *app) check(cmd *cobra.Command, connect, strict, asJSON bool) error {
	file, load, err := loader(cmd)
	if err != nil {
		return err
	}
	result := checked{File: file, OK: true, Problems: configs.Problems{}}
	code := exitOK
	cfg, problems, err := load()
	switch {
	case errors.As(err, &problems):
		code = exitConfig
	case err != nil:
		return exit{exitConfig, err}
	case connect:
		log := slog.New(slog.DiscardHandler) // what matters is in the findings
		found, reached := gateway.Connect(cmd.Context(), file, cfg, a.open, log)
		problems = append(problems, configs.Located(file, os.LookupEnv, found)...).Sorted()
		if slices.ContainsFunc(found, func(p configs.Problem) bool { return p.Severity == configs.Mistake }) {
			code = exitConfig
		}
		if !reached {
			code = exitUnreachable
		}
	}
	if strict && code == exitOK && len(problems) > 0 {
		code = exitConfig
	}
	result.Problems, result.OK = append(result.Problems, problems...), code == exitOK
	if cfg != nil {
		result.Brokers, result.Shovels, result.Policies = len(cfg.Brokers), len(cfg.Shovels), len(cfg.Policies)
	}
	if err := a.printChecked(result, asJSON); err != nil {
		return err
	}
	if code != exitOK {
		return exit{code, nil}
	}
	return nil
}

func (a *app) printChecked(c checked, asJSON bool) error {
	if asJSON {
		return a.printJSON(c)
	}
	for _, p := range c.Problems {
		a.print("%s", printable(p.String()))
	}
	if c.OK {
		a.print("%s: ok (%s, %s, %s)", c.File, count(c.Brokers, "broker"), count(c.Shovels, "shovel"), count(c.Policies, "policy"))
	}
	return nil
}
