package embedded

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestStartTellsWhetherTheEngineIsConfined(t *testing.T) {
	for confined, want := range map[bool]string{true: "level=INFO", false: "level=WARN"} {
		var out bytes.Buffer
		tellConfined(slog.New(slog.NewTextHandler(&out, nil)), confined)
		if !strings.Contains(out.String(), want) {
			t.Errorf("confined %v: %q, want %s", confined, out.String(), want)
		}
	}
}
