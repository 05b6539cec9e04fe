package cli

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/telemetry"
	"github.com/parley-chat/parley/internal/testing/await"
)

// A command whose health can not be asked for any more ends, with an error:
// nobody would notice otherwise.
func TestCommandEndsWithItsAdminListener(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	tel, err := telemetry.Start(t.Context(), "test", "test", log)
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, alive := serveAdmin(t.Context(), ln, alwaysReady{}, &tools{log: log, telemetry: tel}, false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-alive.Done():
	case <-time.After(await.Limit):
		t.Error("what runs beside it goes on")
	}
	if err := a.stop(); err == nil {
		t.Error("its end is not an error")
	}
}
