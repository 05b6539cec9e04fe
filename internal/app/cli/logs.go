package cli

import (
	"context"
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
	log := slog.New(telemetry.LogHandler(slog.NewTextHandler(w, opts)))
	if r.LogFormat == "json" {
		log = slog.New(telemetry.LogHandler(slog.NewJSONHandler(w, opts)))
	}
	slog.SetDefault(log) // for libraries that log past us
	return log, nil
}

// voice prints the program's own messages to whoever started it.
type voice func(level slog.Level, sentence string)

// sayer prints plain sentences; where the command logs in JSON, in JSON as
// well, so that every line can be read by the same program.
func sayer(command runner, stderr io.Writer) voice {
	if c, ok := command.(interface{ logsJSON() bool }); ok && c.logsJSON() {
		log := slog.New(slog.NewJSONHandler(stderr, nil))
		return func(level slog.Level, sentence string) { log.Log(context.Background(), level, sentence) }
	}
	return func(_ slog.Level, sentence string) { fmt.Fprintf(stderr, "parley: %s\n", sentence) }
}

func (r *running) logsJSON() bool { return r.LogFormat == "json" }
