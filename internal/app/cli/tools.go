package cli

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/memory"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/telemetry"
)

// lastWords bounds the time in which telemetry sends what it has left.
const lastWords = 3 * time.Second

// tools are what everything that runs is given.
type tools struct {
	log       *slog.Logger
	telemetry *telemetry.Telemetry
	access    string // of clients, as /readyz shows it; "" without clients
	memory    memoryBounds
}

// withEngine is whether the engine of ClickHouse is the service's child,
// which takes memory too.
type withEngine bool

// runWithTools does the work of a service with tools, and puts them away.
func (r *running) runWithTools(ctx context.Context, p process, service string, engine withEngine, work func(*tools) error) error {
	log, err := r.logger(p.stderr)
	if err != nil {
		return err
	}
	if len(p.unknown) > 0 {
		log.Warn("these variables are not settings of any command: correct or remove them", "variables", strings.Join(p.unknown, ","))
	}
	tel, err := telemetry.Start(ctx, service, roles.Version(), log)
	if err != nil {
		return err
	}
	bounds := boundMemory(bool(engine))
	collecting, stop := context.WithCancel(ctx)
	var collector sync.WaitGroup
	collector.Go(func() { memory.Collect(collecting, bounds.process) })
	err = work(&tools{log: log, telemetry: tel, memory: bounds})
	stop()
	collector.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	tel.Shutdown(ctx)
	return err
}
