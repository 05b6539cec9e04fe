package chaos

import (
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
}

func newRecorder() *recorder { return &recorder{start: time.Now()} }

// now is the time on the run's clock.
func (r *recorder) now() time.Duration { return time.Since(r.start) }

// add records an entry that happens now.
func (r *recorder) add(e checker.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = r.now()
	r.entries = append(r.entries, e)
}

// fault records that something is being done to a server; the function that
// is returned says that it is over.
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
