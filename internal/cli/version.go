package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is what the build says of itself: the tag, or the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs}
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = act(func(*cobra.Command, []string) error {
		if err := output.check(); err != nil {
			return err
		}
		v := struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			System  string `json:"system"`
		}{Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		if output.is("json") {
			return a.printJSON(v)
		}
		a.print("weir %s (%s, %s)", v.Version, v.Go, v.System)
		return nil
	})
	return cmd
}
