package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/jaeger"
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
	t, err := jaeger.Fetch(ctx, c.Jaeger, string(c.ID))
	if errors.Is(err, jaeger.ErrNotFound) {
		return fmt.Errorf("there is no trace %s in this Jaeger: it has not arrived yet, was dropped on the way, or has expired", c.ID)
	}
	if err != nil {
		return err
	}
	return t.Print(p.stdout)
}
