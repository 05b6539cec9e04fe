package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/plain"
)

// admin serves health and metrics of a running command over HTTP.
type admin struct {
	server *plain.Server
	addr   string
	served chan error
}

// healthy is what tells whether it is ready, and what is wrong all the same.
type healthy interface {
	Unready(context.Context) []string
	Warnings() []string
}

// startAdmin begins to serve at addr, or nothing when addr is empty. /healthz
// answers while the process runs. /readyz answers 200 when h names no reason
// against it, else 503 with a line for each; warnings are lines of either. The
// first reason is that ctx has ended: what it runs is being stopped.
func startAdmin(ctx context.Context, addr string, h healthy, t *tools) (*admin, error) {
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
		if trouble := files.Trouble(); trouble != "" {
			reasons = append(reasons, trouble)
		}
		reasons = append(reasons, h.Unready(r.Context())...)
		warnings := h.Warnings()
		for i := range warnings {
			warnings[i] = "warning: " + warnings[i]
		}
		if len(reasons) > 0 {
			http.Error(w, strings.Join(slices.Concat([]string{"not ready"}, reasons, warnings), "\n"), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
		if t.access != "" {
			fmt.Fprintln(w, "clients: "+t.access)
		}
		for _, warning := range warnings {
			fmt.Fprintln(w, warning)
		}
	})
	a := &admin{
		server: newAdminServer(mux, ln.Addr()),
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
