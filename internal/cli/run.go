package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"weir/configs"
	"weir/internal/admin"
	"weir/internal/gateway"
	"weir/internal/telemetry"
)

func (a *app) runCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "run [FILE]",
		Short: "Run the links of a configuration, in the foreground",
		Long: `Run the links of a configuration, in the foreground.

SIGHUP reads the configuration again (as weir reload does): links that have not changed go on undisturbed, and a
configuration with mistakes changes nothing. SIGTERM and SIGINT stop: what is in flight is confirmed and acked first. A
second one quits at once; what was in flight is then delivered again.`,
		Args: named(cobra.MaximumNArgs(1)),
		RunE: act(func(cmd *cobra.Command, args []string) error {
			if err := argumentFile(cmd, args); err != nil {
				return err
			}
			return a.run(cmd, follow)
		}),
	}
	configFlags(cmd)
	cmd.Flags().BoolVar(&follow, "watch", false, "reload when the configuration file changes")
	return cmd
}

func (a *app) run(cmd *cobra.Command, follow bool) error {
	collectLess()
	outliveReaders()
	file, load, err := loader(cmd)
	if err != nil {
		return err
	}
	var seen []byte
	if follow {
		seen, _ = os.ReadFile(file) // before it is loaded, so that no change is missed; an error shows then
	}
	cfg, warnings, err := load()
	if err != nil {
		return exit{exitConfig, err}
	}
	level := new(slog.LevelVar)
	log := newLog(a.stderr, cfg.Telemetry.Logs.Format, level)

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	ctx, again, stop := interruptible(cmd.Context())
	defer stop()
	var changed <-chan struct{} // nil: never
	if follow {
		var stopWatching func()
		if changed, stopWatching, err = watchFile(file, seen, log); err != nil {
			return err
		}
		defer stopWatching()
	}
	systemd, err := newNotifier(log)
	if err != nil {
		return err
	}
	server, err := admin.Listen(cfg.Admin, log)
	if err != nil {
		return err
	}
	defer server.Close()
	tele, err := telemetry.New(ctx, cfg, telemetry.Options{Version: Version(), Log: log})
	if err != nil {
		return exit{exitConfig, err}
	}
	g, err := gateway.Start(ctx, cfg, warnings, gateway.Options{
		File: file, Settings: configs.Settings(cmd.Flags()), Load: load, Open: a.open, Log: log, Level: level, Observe: tele.Observe,
	})
	if err != nil {
		return exit{exitFailed, err}
	}
	server.Serve(g, extras(tele, g))

	systemd.ready(g)
	defer systemd.live(g)()

	reload := func(why string) {
		log.Info("configuration is read again", "because", why)
		systemd.reloading()
		_, _ = g.Reload() // logs, and shows in status
		systemd.ready(g)
	}
	for ctx.Err() == nil {
		select {
		case <-hup:
			reload("SIGHUP")
		case <-changed:
			reload("the file has changed")
		case <-ctx.Done():
		}
	}
	systemd.tell("STOPPING=1")
	log.Info("weir stops: what is in flight is brought over first; a second signal quits at once")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.Wait()
		if err := tele.Shutdown(context.WithoutCancel(ctx)); err != nil {
			log.Warn("spans are lost", "error", err)
		}
	}()
	select {
	case <-stopped:
		log.Info("weir has stopped")
		return nil
	case <-again:
		log.Warn("weir quits at once; what was in flight will be delivered again")
		return exit{exitInterrupted, nil}
	}
}

// extras are what a Telemetry has to show of a gateway.
func extras(t *telemetry.Telemetry, g *gateway.Gateway) admin.Extras {
	now := func() telemetry.Snapshot {
		s := g.Status()
		return telemetry.Snapshot{Links: s.Links, Applied: s.Config.LoadedAt, Rejected: s.Config.Rejected != nil}
	}
	return admin.Extras{Metrics: t.Handler(now), Hops: t}
}
