package embedded

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// logger writes a server's log into weir's: its notices are weir's debug. What it says while it starts is debug too: it
// warns of settings that are meant.
type logger struct {
	log     *slog.Logger
	started atomic.Bool
}

func (l *logger) speak() { l.started.Store(true) }

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *logger) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }

func (l *logger) Warnf(format string, v ...any) {
	if !l.started.Load() {
		l.log.Debug(fmt.Sprintf(format, v...))
		return
	}
	l.log.Warn(fmt.Sprintf(format, v...))
}
