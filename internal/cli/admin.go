package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
)

// admin serves health and metrics of a running command over HTTP.
type admin struct {
	server *http.Server
	addr   string
	served chan error
}

// startAdmin begins to serve at addr, or nothing when addr is empty. /healthz
// answers while the process runs. /readyz answers 200 when unready names no
// reason, else 503 with a line for each. The first reason is that ctx has
// ended: what it runs is being stopped.
func startAdmin(ctx context.Context, addr string, unready func(context.Context) []string, t *tools) (*admin, error) {
	if addr == "" {
		return nil, nil
	}
	ln, err := embedded.Listen(ctx, addr, "--admin")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.telemetry.MetricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		var reasons []string
		if ctx.Err() != nil {
			reasons = append(reasons, "it is shutting down")
		}
		if reasons = append(reasons, unready(r.Context())...); len(reasons) > 0 {
			http.Error(w, "not ready\n"+strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
		if t.access != "" {
			fmt.Fprintln(w, "clients: "+t.access)
		}
	})
	a := &admin{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		addr:   ln.Addr().String(),
		served: make(chan error, 1),
	}
	go func() { a.served <- a.server.Serve(ln) }()
	t.log.Info("health is served", "address", a.addr)
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
