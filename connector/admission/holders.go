package admission

import (
	"container/list"
	"time"
)

// holders keeps what is known of those who hold connections: of each user, or
// of each address. One who holds none any more is remembered until its buckets
// are full again, so that nobody gets a fresh one by coming back, and then
// forgotten. Not safe for concurrent use.
type holders[K comparable, V any] struct {
	remember time.Duration // one who holds nothing
	most     int           // of those who hold nothing; beyond it the first go
	make     func() V
	all      map[K]*holder[V]
	idle     list.List // of *leaver[K], in the order in which they left
}

type holder[V any] struct {
	held  int // connections
	value V
	idle  *list.Element // nil: it holds something
}

type leaver[K comparable] struct {
	key   K
	since time.Time
}

// get returns who is of that key, known from now on.
func (h *holders[K, V]) get(key K, now time.Time) *holder[V] {
	h.expire(now)
	o := h.all[key]
	if o == nil {
		if h.all == nil {
			h.all = map[K]*holder[V]{}
		}
		o = &holder[V]{value: h.make()}
		h.all[key] = o
		h.rest(key, o, now)
	}
	return o
}

// hold notes one more connection.
func (h *holders[K, V]) hold(o *holder[V]) {
	o.held++
	if o.idle != nil {
		h.idle.Remove(o.idle)
		o.idle = nil
	}
}

// release notes one less.
func (h *holders[K, V]) release(key K, now time.Time) {
	o := h.all[key]
	if o == nil {
		return
	}
	if o.held--; o.held == 0 {
		h.rest(key, o, now)
	}
	h.expire(now)
}

func (h *holders[K, V]) rest(key K, o *holder[V], now time.Time) {
	o.idle = h.idle.PushBack(&leaver[K]{key, now})
	if h.idle.Len() > h.most {
		h.forgetFirst()
	}
}

// expire forgets those who hold nothing for long enough.
func (h *holders[K, V]) expire(now time.Time) {
	for e := h.idle.Front(); e != nil && now.Sub(e.Value.(*leaver[K]).since) > h.remember; e = h.idle.Front() {
		h.forgetFirst()
	}
}

func (h *holders[K, V]) forgetFirst() {
	first := h.idle.Front()
	delete(h.all, first.Value.(*leaver[K]).key)
	h.idle.Remove(first)
}
