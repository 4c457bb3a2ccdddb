package cli

import (
	"os"

	"github.com/spf13/cobra"

	"weir/configs"
)

// configFlags are those of commands that read a configuration.
func configFlags(cmd *cobra.Command) {
	configs.AddFileFlag(cmd.Flags())
	configs.AddSettingFlags(cmd.Flags())
}

// argumentFile has FILE, where it is given, stand for --config.
func argumentFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return cmd.Flags().Set("config", args[0])
}

// loader locates the configuration, and returns what reads it, now and at each reload.
func loader(cmd *cobra.Command) (file string, load func() (*configs.Config, configs.Problems, error), err error) {
	if file, err = configs.Locate(cmd.Flags()); err != nil {
		return "", nil, err
	}
	settings := configs.Settings(cmd.Flags())
	return file, func() (*configs.Config, configs.Problems, error) {
		return configs.Load(file, os.LookupEnv, settings...)
	}, nil
}
