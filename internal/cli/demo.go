package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/configs"
	"weir/internal/admin"
	"weir/internal/demo"
	"weir/internal/gateway"
	"weir/internal/telemetry"
)

// demoListen is where the page of a demo is, unless somebody else is there: the default of admin.listen.
const demoListen = "127.0.0.1:9470"

func (a *app) demoCommand() *cobra.Command {
	var printConfig bool
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show overflow and federation between three regions in this process; nothing need be installed",
		Long: `Show overflow and federation between three regions in this process; nothing need be installed.

Orders arrive in eu faster than its consumer works. weir moves what is too much to us, and to ap while us is full, and
stops when eu has recovered: that is overflow. us and ap publish what they have shipped to an exchange of their own, and eu
hears of it, because it has bound a queue to its exchange of that name: that is federation. In the end every order is
accounted for. Exit code 1 if one was lost. Meanwhile a page shows the same in a browser, with buttons to interfere, and the
other commands can be tried in another terminal.`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd, "text", "json")
	cmd.Flags().DurationVar(&lasts, "for", 0, "how long orders arrive, such as 20s (default until Ctrl-C)")
	cmd.Flags().BoolVar(&printConfig, "print-config", false, "print the weir.yaml that is run, and exit")
	cmd.RunE = act(func(cmd *cobra.Command, _ []string) error {
		if err := output.check(); err != nil {
			return err
		}
		if lasts < 0 {
			return exit{exitUsage, fmt.Errorf("--for is a duration, not %v", lasts)}
		}
		if printConfig {
			_, err := a.stdout.Write(demo.Config)
			return err
		}
		return a.demo(cmd.Context(), lasts, output.is("json"))
	})
	return cmd
}

func (a *app) demo(parent context.Context, lasts time.Duration, asJSON bool) error {
	ctx, again, stop := interruptible(parent)
	defer stop()
	ctx, unread := signal.NotifyContext(ctx, syscall.SIGPIPE) // nobody reads it any more: end, and leave nothing behind
	defer unread()
	folder, err := os.MkdirTemp("", "weir-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	shown := a.stdout
	if asJSON {
		shown = a.stderr // standard output is for the report
	}
	log := slog.New(slog.DiscardHandler) // what matters is in the story
	server, token, err := demoPage(folder, log)
	if err != nil {
		return err
	}
	defer server.Close()
	cfg, _, err := demo.Load(folder)
	if err != nil {
		return err
	}
	tele, err := telemetry.New(ctx, cfg, telemetry.Options{Version: Version(), Log: log})
	if err != nil {
		return err
	}
	defer func() { _ = tele.Shutdown(context.WithoutCancel(ctx)) }()
	_, _ = fmt.Fprintf(shown, "page: http://%s/ (its buttons ask for the token %s)\n", server.Addr(), token)
	_, _ = fmt.Fprintf(shown, "in another terminal: weir status --socket %s\n", demoSocket(folder))

	var report demo.Report
	done := make(chan struct{})
	go func() {
		defer close(done)
		report, err = demo.Run(ctx, demo.Options{
			Folder:  folder,
			For:     lasts,
			Open:    a.open,
			Show:    show(shown),
			Observe: tele.Observe,
			Serve:   func(g *gateway.Gateway) { server.Serve(g, extras(tele, g)) },
			Log:     log,
		})
	}()
	select {
	case <-done:
	case <-again:
		return exit{exitInterrupted, nil}
	}
	if err != nil {
		return err
	}
	if asJSON {
		a.answered = true
		err = json.NewEncoder(a.stdout).Encode(report) // on one line
	} else {
		a.print("%s", report)
	}
	if err == nil && report.Lost > 0 {
		return exit{exitFailed, nil}
	}
	return err
}

func demoSocket(folder string) string { return filepath.Join(folder, "weir.sock") }

// demoPage listens where weir does by default or, where that is taken, elsewhere. Its token is made up for this run.
func demoPage(folder string, log *slog.Logger) (server *admin.Server, token string, err error) {
	token = rand.Text()
	file := filepath.Join(folder, "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return nil, "", err
	}
	settings := configs.Admin{Listen: demoListen, Socket: demoSocket(folder), TokenFile: file}
	if server, err = admin.Listen(settings, log); err != nil {
		settings.Listen = "127.0.0.1:0"
		server, err = admin.Listen(settings, log)
	}
	return server, token, err
}

// show draws on a terminal, and writes lines elsewhere.
func show(w io.Writer) func(demo.Moment) {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(w) {
		return demo.Lines(w)
	}
	return demo.Screen(w, func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	})
}
