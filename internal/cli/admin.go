package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
)

// admin serves the health of a running command over HTTP.
type admin struct {
	server *http.Server
	addr   string
	served chan error
}

// startAdmin begins to serve at addr, or nothing when addr is empty. /healthz
// answers while the process runs, /readyz when ready returns true.
func startAdmin(ctx context.Context, addr string, ready func() bool, log *slog.Logger) (*admin, error) {
	if addr == "" {
		return nil, nil
	}
	ln, err := embedded.Listen(ctx, addr, "--admin")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	a := &admin{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		addr:   ln.Addr().String(),
		served: make(chan error, 1),
	}
	go func() { a.served <- a.server.Serve(ln) }()
	log.Info("health is served", "address", a.addr)
	return a, nil
}

// stop closes the listener and waits. A nil admin has nothing to stop.
func (a *admin) stop() error {
	if a == nil {
		return nil
	}
	err := a.server.Close()
	if served := <-a.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
