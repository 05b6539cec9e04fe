package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/parley-chat/parley/internal/telemetry"
)

// logger builds the logger that the flags ask for.
func (r *running) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	if r.LogFormat == "json" {
		return slog.New(telemetry.LogHandler(slog.NewJSONHandler(w, opts))), nil
	}
	return slog.New(telemetry.LogHandler(slog.NewTextHandler(w, opts))), nil
}
