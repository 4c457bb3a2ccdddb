package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// logger writes a server's log into weir's: its notices are weir's debug. Until ready everything is: a node complains of
// others that have not started yet, and of settings that are meant.
type logger struct {
	log   *slog.Logger
	ready atomic.Bool
	fatal atomic.Pointer[error] // the first one
}

// failure is what the server could not go on after, such as a port that somebody else has. The command nats-server would
// have ended.
func (l *logger) failure() error {
	if err := l.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

// Noticef, Debugf and Tracef implement server.Logger.
func (l *logger) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }

// Warnf and Errorf implement server.Logger.
func (l *logger) Warnf(format string, v ...any)  { l.write(slog.LevelWarn, format, v) }
func (l *logger) Errorf(format string, v ...any) { l.write(slog.LevelError, format, v) }

// Fatalf implements server.Logger.
func (l *logger) Fatalf(format string, v ...any) {
	err := fmt.Errorf(format, v...)
	l.fatal.CompareAndSwap(nil, &err)
	l.write(slog.LevelError, format, v)
}

func (l *logger) write(level slog.Level, format string, v []any) {
	if !l.ready.Load() {
		level = slog.LevelDebug
	}
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, v...)) //nolint:sloglint // the server's words, which are all there is
	}
}
