package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

// recorder keeps what all clients and the faults do, on one clock. It is safe
// for concurrent use.
type recorder struct {
	start time.Time

	mu      sync.Mutex
	entries []checker.Entry
	ends    map[int]int // of connections that servers ended, by close code
	refused []string    // connections that could not be made
}

func newRecorder() *recorder { return &recorder{start: time.Now(), ends: map[int]int{}} }

// now is the time on the run's clock.
func (r *recorder) now() time.Duration { return time.Since(r.start) }

// add records an entry that happens now.
func (r *recorder) add(e checker.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = r.now()
	r.entries = append(r.entries, e)
}

// fault records that something is being done to a server; the returned function
// records that it is over.
func (r *recorder) fault(server, what string) (over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := len(r.entries)
	// Until it is over it lasts.
	r.entries = append(r.entries, checker.Entry{At: r.now(), Until: time.Hour, Op: checker.Fault, Server: server, What: what})
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.entries[i].Until = r.now()
	}
}

// end counts a connection that the server ended.
func (r *recorder) end(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[code]++
}

// refuse records a connection that could not be made.
func (r *recorder) refuse(server string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, fmt.Sprintf("%v: %s: %v", r.now().Round(time.Millisecond), server, err))
}

// met is what clients met: how connections ended, and what was refused to them
// although they did nothing wrong.
func (r *recorder) met(in *checker.Input) (ends map[int]int, refused []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ends, refused = maps.Clone(r.ends), slices.Clone(r.refused)
	x := excused{map[[2]string]time.Duration{}}
	for i := range in.Entries {
		e := &in.Entries[i]
		if !x.is(e) && e.Op != checker.End && e.Code != 0 {
			refused = append(refused, fmt.Sprintf("%v: %s: %s is answered with %d", e.At.Round(time.Millisecond), e.Server, e.Op, e.Code))
		}
	}
	return ends, refused
}

// snapshot is what was recorded so far.
func (r *recorder) snapshot() []checker.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]checker.Entry(nil), r.entries...)
}

// roleOf is the role in a process's name.
func roleOf(process string) string {
	role, _, _ := strings.Cut(process, "-")
	return role
}
