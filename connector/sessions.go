package connector

import (
	"maps"
	"slices"
	"sync"

	"github.com/parley-chat/parley/connector/front"
)

// sessions are those of one incarnation. One whose connection is gone counts
// until its leaves have passed. Safe for concurrent use.
type sessions struct {
	most int // open connections

	mu    sync.RWMutex
	over  bool // none is added any more
	all   map[string]*session
	ended int // whose connection is gone
}

func newSessions(most int) *sessions { return &sessions{most: most, all: map[string]*session{}} }

// add adds a session and starts it; false: none is added any more.
func (l *sessions) add(s *session, start func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.all[s.id] = s
	start()
	return true
}

// get is the session of that id; nil: there is none.
func (l *sessions) get(id string) *session {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[id]
}

// list is a copy, in no order.
func (l *sessions) list() []*session {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.AppendSeq(make([]*session, 0, len(l.all)), maps.Values(l.all))
}

func (l *sessions) count() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.all)
}

// end counts a session whose connection is gone. It is false when so many wait
// for their users to come back that this one must not.
func (l *sessions) end() (mayWait bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended++
	return l.ended <= l.most
}

// overfull reports whether the log takes leaves so slowly that more sessions
// would be more than memory is meant for.
func (l *sessions) overfull() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.ended-l.most > l.most
}

// forget forgets an ended session.
func (l *sessions) forget(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[s.id] != nil {
		delete(l.all, s.id)
		l.ended--
	}
}

// close closes every session; none is added after them.
func (l *sessions) close(code int, reason string) {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	for _, s := range l.list() {
		s.front.Close(code, reason)
	}
}

// queued adds up what waits for clients, and finds the longest queue.
func (l *sessions) queued() (sum, largest int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.all {
		n := s.front.Waiting()
		sum += n
		largest = max(largest, n)
	}
	return sum, largest
}

// protocols counts the sessions by the protocol of their client.
func (l *sessions) protocols() map[string]int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := map[string]int{front.JSONRPC: 0, front.Pomelo: 0}
	for _, s := range l.all {
		n[s.protocol]++
	}
	return n
}
