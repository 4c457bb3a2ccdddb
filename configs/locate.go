package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sagikazarmark/locafero"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// ErrNoFile is returned by Locate where no place has a weir.yaml.
var ErrNoFile = errors.New("no weir.yaml")

// AddFileFlag adds --config (-c), the file that Locate returns.
func AddFileFlag(flags *pflag.FlagSet) {
	flags.StringP("config", "c", "",
		"configuration file (default: WEIR_CONFIG, or weir.yaml here, in $XDG_CONFIG_HOME/weir or in /etc/weir)")
}

// Locate finds the configuration file: what --config says, else WEIR_CONFIG, else the first weir.yaml of the working
// directory, $XDG_CONFIG_HOME/weir (~/.config/weir) and /etc/weir. A file that is named outright need not exist; Load
// will say so. The error is ErrNoFile.
func Locate(flags *pflag.FlagSet) (string, error) {
	named := viper.New()
	named.MustBindEnv("config", envPrefix+"_CONFIG")
	if flag := flags.Lookup("config"); flag != nil {
		_ = named.BindPFlag("config", flag) // fails for a nil flag only
	}
	if file := named.GetString("config"); file != "" {
		return file, nil
	}
	folders := []string{"."}
	if user, err := os.UserConfigDir(); err == nil {
		folders = append(folders, filepath.Join(user, "weir"))
	}
	folders = append(folders, "/etc/weir")
	return firstIn(folders)
}

// firstIn lets viper search. What viper makes of the contents is not looked at, and neither is its opinion of them: it
// lower-cases and splits names, and knows no lines.
func firstIn(folders []string) (string, error) {
	search := viper.NewWithOptions(viper.WithFinder(locafero.Finder{
		Paths: folders, Names: []string{"weir.yaml"}, Type: locafero.FileTypeFile,
	}))
	_ = search.ReadInConfig()
	if file := search.ConfigFileUsed(); file != "" {
		return file, nil
	}
	return "", fmt.Errorf("%w in %s; write one, or name it with --config", ErrNoFile, strings.Join(folders, ", "))
}
