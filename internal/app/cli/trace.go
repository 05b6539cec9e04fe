package cli

import (
	"context"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/ops/trace"
)

// traceID is a W3C trace id in hex.
type traceID string

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *traceID) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" || strings.Trim(s, "0") == "" {
		return takes("the 32 hex digits that a message carries as trace")
	}
	*id = traceID(s)
	return nil
}

type traceCommand struct {
	ID     traceID       `arg:"" help:"Id of the trace: 32 hex digits, as a message carries it."`
	Jaeger string        `default:"http://127.0.0.1:16686" placeholder:"URL" help:"Jaeger's query API. Default: ${default}."`
	Wait   time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the answer. Default: ${default}."`
}

// Run prints the trace.
func (c *traceCommand) Run(ctx context.Context, p process) error {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	return trace.Show(ctx, p.stdout, c.Jaeger, string(c.ID))
}
