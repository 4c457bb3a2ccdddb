package cli

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"weir/internal/admin"
	"weir/link"
)

// progress shows how far a move is: a bar on a terminal, elsewhere a line for each tenth.
type progress struct {
	w      io.Writer
	total  int64
	tenths int64        // that have been told
	held   atomic.Value // what holds the link up, a string

	bars *mpb.Progress // nil: no terminal
	bar  *mpb.Bar
}

func newProgress(w io.Writer, total int64) *progress {
	p := &progress{w: w, total: total}
	p.held.Store("")
	if !isTerminal(w) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	p.bar = p.bars.AddBar(total,
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d", decor.WCSyncSpace), decor.Percentage(decor.WCSyncSpace)),
		mpb.AppendDecorators(
			decor.AverageSpeed(0, "%.0f/s", decor.WCSyncSpace),
			decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace),
			decor.Any(func(decor.Statistics) string { return p.held.Load().(string) }, decor.WCSyncSpace),
		),
	)
	return p
}

// show is told the status of the link every moment.
func (p *progress) show(s link.Status) {
	moved := s.Counts.Confirmed
	if p.bar != nil {
		p.held.Store("")
		if !admin.Up(s.State) {
			p.held.Store(string(s.State))
		}
		p.bar.SetCurrent(moved)
		return
	}
	if tenths := 10 * moved / p.total; tenths > p.tenths {
		p.tenths = tenths
		_, _ = fmt.Fprintf(p.w, "moved %s of %s (%d %%)\n", comma(moved), comma(p.total), 10*tenths)
	}
}

// finish leaves the bar as it stands.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}
