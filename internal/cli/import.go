package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"weir/internal/migrate"
)

// importArgs are the flags of import.
type importArgs struct {
	migrate.Options
	to    string
	force bool
}

func (a *app) importCommand() *cobra.Command {
	var args importArgs
	cmd := &cobra.Command{
		Use:   "import DEFINITIONS",
		Short: "Write the weir.yaml that does what RabbitMQ's own federation and shovels do",
		Long: `Write the weir.yaml that does what RabbitMQ's own federation and shovel plugins do, and tell what has no equal.

DEFINITIONS is the file of rabbitmqctl export_definitions, or of GET /api/definitions, also of one virtual host; - is
standard input. Taken over are upstreams, upstream sets, policies that federate, and dynamic shovels. Remarks stand in
the file, above what they are about, and on standard error. No password gets into the file: it names a variable for each.

Nothing at the brokers is changed. docs/migration.md tells in which order to switch over without loss.`,
		Example: `  rabbitmqctl export_definitions definitions.json
  weir import definitions.json --local amqp://weir@rmq-eu-1 --local amqp://weir@rmq-eu-2 --to weir.yaml
  weir check weir.yaml --connect`,
		Args: cobra.ExactArgs(1),
		RunE: act(func(cmd *cobra.Command, files []string) error {
			return a.importDefinitions(cmd.InOrStdin(), files[0], args)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&args.to, "to", "", "the file to write (default: standard output)")
	flags.BoolVar(&args.force, "force", false, "overwrite that file")
	flags.StringVar(&args.Site, "site", "", "who this gateway speaks for (default: the cluster's name)")
	flags.StringArrayVar(&args.Local, "local", nil, "a node of the cluster as weir reaches it, without a password; once for each (default: amqp://localhost:5672)")
	flags.StringArrayVar(&args.Management, "management", nil, "its management API; once for each (default: by port 15672 of --local)")
	flags.StringVar(&args.VHost, "vhost", "", "the virtual host of definitions that do not name it (default: /)")
	return cmd
}

func (a *app) importDefinitions(stdin io.Reader, file string, args importArgs) error {
	data, err := readDefinitions(stdin, file)
	if err != nil {
		return exit{exitData, err}
	}
	args.File = cmp.Or(args.to, "weir.yaml")
	result, err := migrate.Import(data, args.Options)
	switch {
	case errors.Is(err, migrate.ErrNoSite), errors.Is(err, migrate.ErrLocal):
		return exit{exitUsage, err}
	case errors.Is(err, migrate.ErrNothing):
		a.sayRemarks(result)
		return exit{exitData, fmt.Errorf("%s: %w", file, err)}
	case err != nil:
		return exit{exitData, fmt.Errorf("%s: %w", file, err)}
	}
	if err := a.writeImported(result.YAML, args); err != nil {
		return err
	}
	a.sayImported(result)
	if len(result.Problems) > 0 {
		a.say("\nthe file has mistakes, with which weir does not run; mend them:")
		return exit{exitConfig, result.Problems}
	}
	return nil
}

func readDefinitions(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// writeImported never writes over a file that somebody may have worked on.
func (a *app) writeImported(yaml []byte, args importArgs) error {
	if args.to == "" {
		_, err := a.stdout.Write(yaml)
		return err
	}
	how := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if args.force {
		how = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	file, err := os.OpenFile(args.to, how, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return exit{exitUsage, fmt.Errorf("%s is there already; name another file with --to, or overwrite it with --force", args.to)}
	}
	if err != nil {
		return err
	}
	_, err = file.Write(yaml)
	return errors.Join(err, file.Close())
}

func (a *app) sayImported(r *migrate.Result) {
	a.say("imported: %s, %s", count(r.Upstreams, "upstream"), count(r.Shovels, "shovel"))
	a.sayRemarks(r)
	if len(r.Variables) > 0 {
		a.say("\nset before weir starts:")
	}
	for _, v := range r.Variables {
		a.say("  %s  %s", v.Name, printable(v.For))
	}
	a.say("\nnext: weir check --connect with this file; docs/migration.md tells in which order to switch over")
}

func (a *app) sayRemarks(r *migrate.Result) {
	if len(r.Remarks) > 0 {
		a.say("\nto know:")
	}
	for _, remark := range r.Remarks {
		a.say("  %s", printable(remark.String()))
	}
}
