package configs

import (
	"reflect"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Setting is a process setting that comes from a flag or an environment variable, and lies over the file's.
type Setting struct {
	// Path is the place of the setting: admin.listen.
	Path string `json:"path"`
	// Value is read and checked like the value in the file.
	Value string `json:"value"`
	// Origin names the flag (--admin-listen) or the variable (WEIR_ADMIN_LISTEN) in messages.
	Origin string `json:"origin"`
}

// processBlocks are the parts of the configuration that are about this process. Only they take flags and variables: the
// topology has one source, and viper would lower-case and split its names.
var processBlocks = []string{"admin", "telemetry", "defaults"}

// settingPaths lists the process settings, in the order of the structs.
func settingPaths() []string {
	var paths []string
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		for _, f := range fields(t) {
			if f.typ.Kind() == reflect.Struct {
				walk(f.typ, at+"."+f.key)
			} else {
				paths = append(paths, at+"."+f.key)
			}
		}
	}
	for _, f := range fields(reflect.TypeFor[Config]()) {
		for _, block := range processBlocks {
			if f.key == block {
				walk(f.typ, block)
			}
		}
	}
	return paths
}

// AddSettingFlags adds a flag for each process setting: --admin-listen for admin.listen.
func AddSettingFlags(flags *pflag.FlagSet) {
	for _, p := range settingPaths() {
		flags.String(flagName(p), "", "instead of "+p+" in the file")
	}
}

func flagName(path string) string { return strings.ReplaceAll(path, ".", "-") }

// envName is the variable of a setting: WEIR_ADMIN_LISTEN for admin.listen.
func envName(path string) string {
	return envPrefix + "_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

const envPrefix = "WEIR"

// Settings are the process settings that flags and WEIR_* variables give; a flag wins over a variable, an empty variable
// counts as none. Flags that AddSettingFlags has not added are not looked for.
func Settings(flags *pflag.FlagSet) []Setting {
	v := viper.New()
	var all []Setting
	for _, p := range settingPaths() {
		v.MustBindEnv(p, envName(p))
		origin := envName(p)
		if flag := flags.Lookup(flagName(p)); flag != nil && flag.Changed {
			_ = v.BindPFlag(p, flag) // fails for a nil flag only
			origin = "--" + flagName(p)
		}
		if v.IsSet(p) {
			all = append(all, Setting{Path: p, Value: v.GetString(p), Origin: origin})
		}
	}
	return all
}

// setting lays a value from a flag or variable over the file's. A relative path in it starts where the process does.
func (d *decoder) setting(s Setting, v reflect.Value) {
	at, f := path(""), field{}
	for key := range strings.SplitSeq(s.Path, ".") {
		for _, known := range fields(v.Type()) {
			if known.key == key {
				v, f, at = v.FieldByIndex(known.index), known, at.key(key)
				break
			}
		}
	}
	origin := position{source: s.Origin}
	d.value(&node{at: origin, text: s.Value, written: s.Value, untyped: true}, origin, v, at, f)
}
