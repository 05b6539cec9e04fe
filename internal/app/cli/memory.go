package cli

import (
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/parley-chat/parley/internal/memory"
)

// memoryBounds are the bytes that a process and its engine may take; 0: none.
type memoryBounds struct{ there, process, engine int64 }

// boundMemory gives Go a limit above which it collects sooner, unless
// GOMEMLIMIT did. The engine has its limit in its configuration.
func boundMemory(engine bool) memoryBounds {
	b := memoryBounds{there: memory.Limit(), process: debug.SetMemoryLimit(-1)}
	if engine {
		b.engine = memory.Engine(b.there)
	}
	if b.process == math.MaxInt64 {
		if b.process = memory.Process(b.there, engine); b.process > 0 {
			debug.SetMemoryLimit(b.process)
		}
	}
	return b
}

// tell logs the bounds.
func (b memoryBounds) tell(log *slog.Logger) {
	args := []any{"there_is", b.there, "process", b.process}
	if b.engine > 0 {
		args = append(args, "clickhouse", b.engine)
	}
	log.Info("memory is bounded, in bytes", args...)
}
