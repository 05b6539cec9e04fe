package tests

import (
	"log/slog"
	"testing"

	"github.com/parley-chat/parley/internal/embedded/embeddedtest"
)

var quietLogger = slog.New(slog.DiscardHandler)

// publicLog is a broker that outsiders read the log from.
func publicLog(t *testing.T) string {
	t.Helper()
	return embeddedtest.Kafka(t)
}
