package cli

import (
	"github.com/spf13/cobra"

	"weir/configs"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of weir.yaml, for editors",
		Args:  cobra.NoArgs,
		RunE: act(func(*cobra.Command, []string) error {
			schema, err := configs.Schema()
			if err != nil {
				return err
			}
			a.print("%s", schema)
			return nil
		}),
	}
}
