package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/internal/admin"
)

// orders are what top sorts by, by the key that asks for it.
var orders = map[string]func(a, b topRow) int{
	"name":     func(a, b topRow) int { return strings.Compare(a.Name, b.Name) },
	"state":    func(a, b topRow) int { return severity(b.Level) - severity(a.Level) },
	"rate":     func(a, b topRow) int { return cmp.Compare(b.rate, a.rate) },
	"waiting":  func(a, b topRow) int { return cmp.Compare(ready(b.Status), ready(a.Status)) },
	"inflight": func(a, b topRow) int { return b.InFlight - a.InFlight },
}

var orderNames = []string{"name", "state", "rate", "waiting", "inflight"}

func (a *app) topCommand() *cobra.Command {
	var order string
	var every time.Duration
	var times int
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the links of a weir that runs, live",
		Long: `Show the links of a weir that runs, live.

Keys: q quits; n, s, r, w and i sort by name, state, rate, messages waiting and messages in flight. Where the output is no
terminal, say with --times how often to print.`,
		Args: cobra.NoArgs,
	}
	daemonFlags(cmd)
	cmd.Flags().StringVar(&order, "sort", orderNames[0], strings.Join(orderNames, ", "))
	cmd.Flags().DurationVar(&every, "every", time.Second, "how often to look")
	cmd.Flags().IntVar(&times, "times", 0, "how often to print, then end (default until q)")
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(orderNames, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = act(func(cmd *cobra.Command, _ []string) error {
		switch {
		case orders[order] == nil:
			return exit{exitUsage, fmt.Errorf("--sort is %s, not %q", strings.Join(orderNames, ", "), order)}
		case every < 100*time.Millisecond:
			return exit{exitUsage, fmt.Errorf("--every is 100ms or more, not %v", every)}
		case times < 0:
			return exit{exitUsage, fmt.Errorf("--times is 1 or more, not %d", times)}
		case times == 0 && !isTerminal(a.stdout):
			return exit{exitUsage, errors.New("top draws on a terminal; elsewhere use --times, or weir status")}
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		t := &top{client: daemon(cmd), out: a.stdout, order: order, every: every, times: times}
		return t.run(ctx)
	})
	return cmd
}

// top is one run of the command.
type top struct {
	client *admin.Client
	out    io.Writer
	order  string
	every  time.Duration
	times  int

	screen  *os.File // nil: lines are printed one after another
	now     admin.Snapshot
	rows    []topRow
	problem string // why the last look has failed
}

// topRow is a link and how fast it is.
type topRow struct {
	admin.Row
	rate float64 // messages a second since the look before
}

func (t *top) run(ctx context.Context) error {
	keys := make(chan byte)
	if f, ok := t.out.(*os.File); ok && isTerminal(t.out) && t.times == 0 {
		t.screen = f
		restore, err := readKeys(ctx, keys)
		if err != nil {
			return err
		}
		defer restore()
		_, _ = io.WriteString(t.out, "\x1b[?1049h\x1b[?25l") // another screen, no cursor
		defer func() { _, _ = io.WriteString(t.out, "\x1b[?25h\x1b[?1049l") }()
	}
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		if err := t.look(ctx); err != nil {
			return err
		}
		if n == t.times {
			return nil
		}
		for looked := false; !looked; {
			select {
			case <-tick.C:
				looked = true
			case key := <-keys:
				if !t.press(key) {
					return nil
				}
				t.draw()
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// readKeys sends what is typed. restore gives the terminal back; the reader ends with the process, because a read of a
// terminal cannot be ended.
func readKeys(ctx context.Context, keys chan<- byte) (restore func(), err error) {
	stdin := int(os.Stdin.Fd())
	if !term.IsTerminal(stdin) {
		return func() {}, nil
	}
	state, err := term.MakeRaw(stdin)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	go func() {
		in := bufio.NewReader(os.Stdin)
		for {
			key, err := in.ReadByte()
			if err != nil {
				return
			}
			select {
			case keys <- key:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { _ = term.Restore(stdin, state) }, nil
}

// press does what a key asks for; false: quit. Ctrl-C is a key of a raw terminal.
func (t *top) press(key byte) bool {
	const ctrlC = 3
	if key == 'q' || key == ctrlC {
		return false
	}
	for _, name := range orderNames {
		if name[0] == key {
			t.order = name
		}
	}
	return true
}

// look asks once, and draws. On a screen it goes on trying when a weir that did answer does so no more.
func (t *top) look(ctx context.Context) error {
	now, err := t.client.Snapshot(ctx)
	switch {
	case err == nil:
		t.rows = measured(t.now, now)
		t.now, t.problem = now, ""
	case t.screen == nil || t.now.At.IsZero():
		return err
	default:
		t.problem = err.Error()
	}
	t.draw()
	return nil
}

// draw shows what was seen last.
func (t *top) draw() {
	verdict := t.now.Verdict.Text
	if t.problem != "" {
		verdict = "what you see is old: " + t.problem
	}
	lines := []string{
		fmt.Sprintf("weir %s  %s  %s", printable(t.now.Site), t.now.At.Local().Format(time.TimeOnly), printable(verdict)), "",
	}
	slices.SortStableFunc(t.rows, orders[t.order])
	lines = append(lines, strings.Split(topTable(t.rows, t.now.At, t.screen != nil), "\n")...)
	if t.screen == nil {
		_, _ = fmt.Fprintf(t.out, "%s\n\n", strings.Join(lines, "\n"))
		return
	}
	width, height, err := term.GetSize(int(t.screen.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	var out strings.Builder
	out.WriteString("\x1b[H")
	for _, line := range fitting(lines, height-1) {
		out.WriteString(text.Trim(line, width) + "\x1b[0m\x1b[K\r\n")
	}
	out.WriteString("\x1b[J")
	_, _ = io.WriteString(t.out, out.String())
}

// fitting adds what keys do, and leaves out what does not fit on a screen of so many lines.
func fitting(lines []string, height int) []string {
	keys := "sort: n name  s state  r rate  w waiting  i in flight    q quit"
	if room := max(0, height-2); len(lines) > room {
		keys = fmt.Sprintf("%d more below    %s", len(lines)-room, keys)
		lines = lines[:room]
	}
	all := append(slices.Clip(lines), "", keys)
	return all[max(0, len(all)-height):]
}

// measured are the rows of a snapshot with their rates since an earlier one.
func measured(before, now admin.Snapshot) []topRow {
	confirmed := map[string]int64{}
	for _, l := range before.Links {
		confirmed[l.Name] = l.Counts.Confirmed
	}
	passed := now.At.Sub(before.At).Seconds()
	rows := make([]topRow, len(now.Links))
	for i, l := range now.Links {
		rows[i].Row = l
		if n, known := confirmed[l.Name]; known && passed > 0 && l.Counts.Confirmed >= n { // a link that starts anew counts from 0
			rows[i].rate = float64(l.Counts.Confirmed-n) / passed
		}
	}
	return rows
}

func topTable(rows []topRow, now time.Time, colours bool) string {
	t := plainTable()
	t.AppendHeader(table.Row{"link", "state", "from", "to", "rate", "waiting", "in-flight", "confirmed", "since", "reason"})
	for _, r := range rows {
		to := r.Using
		if to == "" {
			to = strings.Join(r.To, ", ")
		}
		t.AppendRow(table.Row{
			printable(r.Name), painted(r.State, colours), printable(r.From), printable(to), fmt.Sprintf("%.0f/s", r.rate), waiting(r.Status),
			comma(r.InFlight), comma(r.Counts.Confirmed), since(r.Since, now), why(r.Status, now),
		})
	}
	numbers(t, "rate", "waiting", "in-flight", "confirmed", "since")
	return t.Render()
}

func severity(l admin.Level) int {
	return slices.Index([]admin.Level{admin.Well, admin.Waiting, admin.Attention, admin.Down}, l)
}
