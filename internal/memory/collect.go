package memory

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// mostGarbage is how many bytes a busy process allocates from one collection to the
	// next, however little it holds: with Go's own pace one that holds 20 MB under load
	// collects twice a second, and what comes meanwhile is late.
	mostGarbage = 64 << 20
	// garbageShare is the most of the process's bound that this may be.
	garbageShare = 16
	// busyAt is how many bytes a busy process allocates in a second, and calmFor how many
	// seconds with less make it one at rest, which holds no more than it needs.
	busyAt  = 4 << 20
	calmFor = 5

	// restShare: a rest is worth a collection, which goes through all that is held, where
	// that share of it has been allocated since the one of the last rest.
	restShare = 4

	// goPercent is Go's own pace: a collection whenever the heap has doubled. At that pace
	// Go takes a heap of less than goLeast for one of goLeast, and at another in proportion.
	goPercent = 100
	goLeast   = 4 << 20
)

// Collect paces the garbage collector until ctx ends: seldom while the process is busy,
// and once when it comes to rest. Bound is how many bytes the process may take; 0: any
// number. It does nothing where GOGC says what the pace is.
func Collect(ctx context.Context, bound int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	defer debug.SetGCPercent(goPercent)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	p := newPacing(bound)
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(held)
		was := p.percent
		collect := p.next(held[0].Value.Uint64(), held[1].Value.Uint64())
		if p.percent != was {
			debug.SetGCPercent(p.percent)
		}
		if collect {
			debug.FreeOSMemory() // a collection, and what it frees goes back at once
		}
	}
}

// pacing decides once a second.
type pacing struct {
	garbage   uint64 // between two collections of a busy process, in bytes
	allocated uint64 // so far, as of the last decision
	calm      int    // seconds without much to do; calmFor: at rest
	percent   int    // GOGC
	rested    uint64 // allocated by the last collection at rest
}

func newPacing(bound int64) *pacing {
	p := &pacing{garbage: mostGarbage, calm: calmFor, percent: goPercent}
	if bound > 0 {
		p.garbage = min(p.garbage, uint64(bound)/garbageShare)
	}
	return p
}

// next sets percent by what the last collection left and what was allocated since the
// process began, and reports whether to collect now.
func (p *pacing) next(live, allocated uint64) (collect bool) {
	busy := allocated-p.allocated >= busyAt
	p.allocated = allocated
	switch {
	case busy:
		p.calm = 0
		wanted := max(goPercent, int(100*p.garbage/max(live, goLeast)))
		if tenth := p.percent / 10; wanted < p.percent-tenth || wanted > p.percent+tenth {
			p.percent = wanted // each change stops the process for a moment
		}
	case p.calm < calmFor:
		if p.calm++; p.calm == calmFor {
			p.percent = goPercent
			if collect = allocated-p.rested >= live/restShare; collect {
				p.rested = allocated
			}
		}
	}
	return collect
}
