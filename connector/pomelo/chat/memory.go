package chat

import (
	"container/list"
	"sync"
	"time"
)

const (
	memoryTime  = 10 * time.Minute // for which it is known what a user has seen
	memoryBytes = 16 << 20         // of all together
	placeBytes  = 256              // that one takes besides its names
)

// Memory is what users whose connection was cut had seen of their rooms, so that
// they are shown the rest when they come back. Of more than it holds it forgets
// the oldest. Safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu    sync.Mutex
	known map[visit]*list.Element
	order *list.List // of *place, the oldest first
	bytes int
}

// visit is a user in a room.
type visit struct{ user, room string }

// place is how far a user had got in a room.
type place struct {
	visit
	seq   int64
	epoch string
	until time.Time
}

func (p *place) size() int { return placeBytes + len(p.user) + len(p.room) + len(p.epoch) }

// NewMemory returns one that knows nobody.
func NewMemory() *Memory {
	return &Memory{now: time.Now, known: map[visit]*list.Element{}, order: list.New()}
}

// keep keeps how far a user has got in a room.
func (m *Memory) keep(user, room string, seq int64, epoch string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	p := &place{visit{user, room}, seq, epoch, now.Add(memoryTime)}
	m.remove(m.known[p.visit])
	m.known[p.visit] = m.order.PushBack(p)
	m.bytes += p.size()
	for e := m.order.Front(); e != nil; e = m.order.Front() {
		if oldest := e.Value.(*place); m.bytes <= memoryBytes && now.Before(oldest.until) {
			break
		}
		m.remove(e)
	}
}

// seen returns how far a user has got in a room; epoch "": it is not known.
func (m *Memory) seen(user, room string) (seq int64, epoch string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.known[visit{user, room}]; e != nil {
		if p := e.Value.(*place); m.now().Before(p.until) {
			return p.seq, p.epoch
		}
	}
	return 0, ""
}

// forget forgets how far a user has got in a room.
func (m *Memory) forget(user, room string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(m.known[visit{user, room}])
}

func (m *Memory) remove(e *list.Element) {
	if e == nil {
		return
	}
	p := e.Value.(*place)
	delete(m.known, p.visit)
	m.order.Remove(e)
	m.bytes -= p.size()
}
