package configs_test

import (
	"testing"
	"time"

	"github.com/spf13/pflag"

	"weir/configs"
)

const listenInFile = "site: eu\nadmin: {listen: 127.0.0.1:1}\ndefaults: {drain-timeout: 1s}\n"

func settings(t *testing.T, args ...string) []configs.Setting {
	t.Helper()
	flags := pflag.NewFlagSet("weir", pflag.ContinueOnError)
	configs.AddSettingFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return configs.Settings(flags)
}

// A flag wins over a variable, a variable over the file.
func TestSettingsLieOverTheFile(t *testing.T) {
	t.Setenv("WEIR_ADMIN_LISTEN", "127.0.0.1:2")
	t.Setenv("WEIR_TELEMETRY_LOGS_LEVEL", "debug")
	t.Setenv("WEIR_TELEMETRY_TRACES_RATIO", "0.5")
	t.Setenv("WEIR_DEFAULTS_RECONNECT_DELAY_MAX", "7") // seconds, as in the file
	t.Setenv("WEIR_DEFAULTS_DRAIN_TIMEOUT", "")        // empty is not set
	t.Setenv("WEIR_SITE", "us")                        // not a process setting
	cfg, _, err := configs.Parse("weir.yaml", []byte(listenInFile), environment,
		settings(t, "--admin-listen=127.0.0.1:3", "--admin-socket=weir.sock")...)
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"flag over variable over file": cfg.Admin.Listen == "127.0.0.1:3",
		"a path of a flag starts here": cfg.Admin.Socket == "weir.sock",
		"variable":                     cfg.Telemetry.Logs.Level == configs.LogDebug,
		"number":                       cfg.Telemetry.Traces.Ratio == 0.5,
		"duration":                     cfg.Defaults.ReconnectDelay.Max == 7*time.Second,
		"empty variable":               cfg.Defaults.DrainTimeout == time.Second,
		"the topology has one source":  cfg.Site == "eu",
	} {
		if !ok {
			t.Errorf("%s: got %+v %+v %+v %s", name, cfg.Admin, cfg.Telemetry, cfg.Defaults, cfg.Site)
		}
	}
}

// A bad value from elsewhere is checked like one in the file, and the message names where it came from.
func TestSettingMistakesNameTheirOrigin(t *testing.T) {
	t.Setenv("WEIR_TELEMETRY_LOGS_LEVEL", "verbose")
	t.Setenv("WEIR_DEFAULTS_CONFIRM_TIMEOUT", "5")
	_, _, err := configs.Parse("weir.yaml", []byte("sit: eu\n"), environment, settings(t, "--admin-listen=0.0.0.0:1")...)
	want := `weir.yaml:1:1: unknown key "sit"; did you mean "site"?
weir.yaml:1:1: admin.token-file: missing; admin.listen can be reached from other hosts
WEIR_DEFAULTS_CONFIRM_TIMEOUT: defaults.confirm-timeout: 5 has no unit; write 5s or 5ms
WEIR_TELEMETRY_LOGS_LEVEL: telemetry.logs.level: unknown word "verbose"; choose from debug, info, warn, error`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
