package cli

import (
	"io"
	"log/slog"

	"weir/configs"
)

// newLog writes to w in the declared format; level may change later.
func newLog(w io.Writer, format configs.LogFormat, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == configs.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
