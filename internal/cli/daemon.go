package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"weir/configs"
	"weir/internal/admin"
)

// daemonFlags are those of commands that talk to a weir that runs.
func daemonFlags(cmd *cobra.Command) {
	cmd.Flags().String("socket", "", "unix socket of the weir that runs (default: WEIR_ADMIN_SOCKET, admin.socket of the configuration, or the runtime directory)")
	configs.AddFileFlag(cmd.Flags())
	cmd.PreRunE = act(func(cmd *cobra.Command, _ []string) error { return meant(cmd) })
}

// meant refuses a configuration that was named and is not there: a weir that answers at the default socket is another one.
func meant(cmd *cobra.Command) error {
	file, err := configs.Locate(cmd.Flags())
	if err != nil || cmd.Flags().Changed("socket") || os.Getenv("WEIR_ADMIN_SOCKET") != "" {
		return nil
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return exit{exitConfig, fmt.Errorf("configuration %s: no such file", file)}
	}
	return nil
}

// daemon finds the weir that runs. A configuration that cannot be read or has mistakes does not matter: commands must work
// while somebody edits it.
func daemon(cmd *cobra.Command) *admin.Client {
	if socket, _ := cmd.Flags().GetString("socket"); socket != "" {
		return admin.NewClient(socket)
	}
	if socket := os.Getenv("WEIR_ADMIN_SOCKET"); socket != "" {
		return admin.NewClient(socket)
	}
	if socket := declaredSocket(cmd); socket != "" {
		return admin.NewClient(socket)
	}
	return admin.NewClient(admin.Sockets()...)
}

// declaredSocket is admin.socket of the configuration, if that can be told. The secrets that a service gets in its
// environment are not in that of an operator; here they do not matter.
func declaredSocket(cmd *cobra.Command) string {
	file, err := configs.Locate(cmd.Flags())
	if err != nil {
		return ""
	}
	return configs.Socket(file, func(name string) (string, bool) { return os.Getenv(name), true })
}

// named is count, and refuses an empty name, which is mostly a variable that is not set.
func named(count cobra.PositionalArgs) cobra.PositionalArgs {
	return cobra.MatchAll(count, func(_ *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return errors.New("an argument is empty")
		}
		return nil
	})
}

// linkNames completes the names of links.
func linkNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := daemon(cmd).Status(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := make([]string, len(s.Links))
	for i, l := range s.Links {
		names[i] = l.Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
