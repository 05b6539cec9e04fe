package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/internal/roles"
)

// admin serves health, metrics and, where asked for, profiles of a running command
// over HTTP.
type admin struct {
	server *plain.Server
	addr   string
	served chan error
}

// healthy reports whether it is ready, and what is wrong all the same.
type healthy interface {
	Health(context.Context) roles.Health
}

// startAdmin begins to serve at --admin, or nothing when that is empty. /healthz
// answers while the process runs. /readyz answers 200 when h names no reason
// not to be ready, else 503 with a line for each; warnings are lines of either. The
// first reason is that ctx has ended: what it runs is being stopped. alive ends
// with ctx, or when nobody can ask any more: then the command is to end, with
// the error of stop.
func (r *running) startAdmin(ctx context.Context, h healthy, t *tools) (a *admin, alive context.Context, err error) {
	if r.Admin == "" {
		return nil, ctx, nil
	}
	ln, err := embedded.Listen(ctx, string(r.Admin), "--admin")
	if err != nil {
		return nil, ctx, err
	}
	a, alive = serveAdmin(ctx, ln, h, t, r.Pprof)
	return a, alive, nil
}

func serveAdmin(ctx context.Context, ln net.Listener, h healthy, t *tools, profiles bool) (*admin, context.Context) {
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
		health := h.Health(r.Context())
		reasons = append(reasons, health.Unready...)
		warnings := health.Warnings
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
	if profiles {
		servePprof(mux)
	}
	a := &admin{
		server: newAdminServer(mux, ln.Addr()),
		addr:   ln.Addr().String(),
		served: make(chan error, 1),
	}
	alive, end := context.WithCancel(ctx)
	go func() {
		defer end()
		a.served <- a.server.Serve(ln)
	}()
	t.log.Info("health is served", "address", a.addr)
	if profiles {
		t.log.Info("profiles are served", "url", "http://"+a.addr+"/debug/pprof/")
	}
	return a, alive
}

// stop closes the listener and waits. A nil admin has nothing to stop.
func (a *admin) stop() error {
	if a == nil {
		return nil
	}
	err := a.server.Close()
	if served := <-a.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("health could not be served any more: %w", served))
	}
	return err
}
