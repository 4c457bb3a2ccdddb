package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"weir/configs"
	"weir/internal/gateway"
)

// moveArgs are the flags of move.
type moveArgs struct {
	from, to string
	count    int64
	rate     float64
	dryRun   bool
}

func (a *app) moveCommand() *cobra.Command {
	var m moveArgs
	cmd := &cobra.Command{
		Use:   "move --from BROKER:QUEUE --to BROKER:QUEUE",
		Short: "Move the messages of a queue to another broker, once",
		Long: `Move the messages that are in a queue now to another queue or exchange, once.

Brokers are those of the configuration. An end is BROKER:QUEUE, or BROKER:key=value,... with the keys of a shovel:
  us:orders   us:exchange=orders,routing-key=order.created   ap:stream=ORDERS,consumer=weir   ap:subject=orders.eu

Each message is acked at its source only after the destination has confirmed it. An interrupt is safe: what is in
flight is brought over, and nothing is lost. What is missing at either end is not declared.`,
		Example: `  weir move --from eu:orders --to us:orders --dry-run
  weir move --from eu:orders.dead --to eu:exchange=orders --count 1000 --rate 200`,
		Args: cobra.NoArgs,
		RunE: act(func(cmd *cobra.Command, _ []string) error { return a.move(cmd, m) }),
	}
	configs.AddFileFlag(cmd.Flags())
	cmd.Flags().StringVar(&m.from, "from", "", "where messages are taken")
	cmd.Flags().StringVar(&m.to, "to", "", "where messages are put")
	cmd.Flags().Int64Var(&m.count, "count", 0, "the most messages to move (default: as many as are ready now)")
	cmd.Flags().Float64Var(&m.rate, "rate", 0, "the most messages a second (default: no limit)")
	cmd.Flags().BoolVar(&m.dryRun, "dry-run", false, "look at both ends and say what would be moved")
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (a *app) move(cmd *cobra.Command, args moveArgs) error {
	if args.count < 0 || args.rate < 0 {
		return exit{exitUsage, errors.New("--count and --rate cannot be negative")}
	}
	_, load, err := loader(cmd)
	if err != nil {
		return err
	}
	cfg, _, err := load()
	if err != nil {
		return exit{exitConfig, err}
	}
	order, err := args.order(cfg)
	if err != nil {
		return exit{exitUsage, err}
	}
	outliveReaders()
	ctx, again, stop := interruptible(cmd.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- a.moveOrder(ctx, cfg, order, args.dryRun) }()
	select {
	case err := <-done:
		return err
	case <-again:
		a.say("weir: quits at once; what was in flight will be delivered again")
		return exit{exitInterrupted, nil}
	}
}

func (args moveArgs) order(cfg *configs.Config) (gateway.MoveOrder, error) {
	from, err := sourceEnd(cfg, args.from)
	if err != nil {
		return gateway.MoveOrder{}, fmt.Errorf("--from %s: %w", args.from, err)
	}
	to, err := destinationEnd(cfg, args.to)
	if err != nil {
		return gateway.MoveOrder{}, fmt.Errorf("--to %s: %w", args.to, err)
	}
	if from.Broker == to.Broker && from.Queue != "" && from.Queue == to.Queue {
		return gateway.MoveOrder{}, errors.New("--from and --to are the same queue")
	}
	return gateway.MoveOrder{From: from, To: to, Count: args.count, Rate: configs.Rate(args.rate)}, nil
}

func (a *app) moveOrder(ctx context.Context, cfg *configs.Config, order gateway.MoveOrder, dryRun bool) error {
	m, err := gateway.NewMove(ctx, cfg, order, a.open, newLog(a.stderr, configs.LogText, slog.LevelWarn))
	switch {
	case err != nil && ctx.Err() != nil:
		a.say("weir: interrupted; nothing was moved")
		return exit{exitInterrupted, nil}
	case err != nil:
		return err
	}
	defer m.Close()
	way := printable(fmt.Sprintf("from %s to %s", m.From(), m.To()))
	switch {
	case m.Total() == 0:
		a.print("nothing to move: %s has no ready messages", printable(m.From()))
		return nil
	case dryRun:
		a.print("would move %s %s", messages(m.Total()), way)
		return nil
	}
	bar := newProgress(a.stderr, m.Total())
	began := time.Now()
	moved, err := m.Run(ctx, bar.show)
	bar.finish()
	a.print("moved %s of %s %s in %s", comma(moved), messages(m.Total()), way, time.Since(began).Round(100*time.Millisecond))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gateway.ErrDrained):
		a.say("weir: %v", err)
		return nil
	case ctx.Err() != nil:
		a.say("weir: interrupted; the rest is where it was")
		return exit{exitInterrupted, nil}
	}
	return fmt.Errorf("%w; the rest is where it was", err)
}

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return comma(n) + " messages"
}
