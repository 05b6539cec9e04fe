package schema

import (
	"crypto/sha256"
	"encoding/binary"
)

// Window is N, the width of the void window in offsets, in a new log. A log
// keeps the N of its markers.
const Window = 65_536

// VoidWindow decides which events of one partition are void. Its verdict on
// an event is a function of the event and the N offsets before it, never of
// anything older: every reader that starts N offsets earlier gets it right.
//
// An event of a connector is void when its counter is at or below the highest
// of that connector within the N offsets before it, void or not. An act, which is
// a chat or what came with format 2 and has an id, is void when one with the same
// channel, origin, actor and id occurred, void or not, within them.
// A join or a watch is void when its connector was declared down within them.
//
// Not safe for concurrent use.
type VoidWindow struct {
	n        int64
	counters map[string]*counters
	ids      map[actID]int64  // offset of the latest occurrence
	downs    map[string]int64 // offset of the latest down
	seen     queue            // what to forget, in order
}

// counters are what is known of one connector. Its name is kept here, once, for
// all of its events.
type counters struct {
	connector string
	counts    []count // descending counters, ascending offsets
}

type count struct {
	offset  int64
	counter uint64
}

type actID [16]byte

// sighting is what one offset added to the window.
type sighting struct {
	offset int64
	by     *counters // nil: of no connector
	down   string
	id     actID
	isAct  bool
}

// NewVoidWindow returns an empty window of n offsets.
func NewVoidWindow(n int64) *VoidWindow {
	return &VoidWindow{n: n, counters: map[string]*counters{}, ids: map[actID]int64{}, downs: map[string]int64{}}
}

// Judge adds the event at offset to the window and reports whether it is
// void. Offsets must ascend; holes are allowed.
func (w *VoidWindow) Judge(offset int64, e *Event) bool {
	w.forget(offset - w.n)
	s := sighting{offset: offset}
	void := false
	if e.Connector != "" {
		s.by, void = w.counted(offset, e)
	}
	switch k := e.Kind.(type) {
	case *Event_Join:
		_, down := w.downs[e.Connector]
		void = void || down
	case *Event_Watch:
		void = void || w.IsDown(k.Watch.Connector)
	case *Event_Down:
		s.down = k.Down.Connector
		w.downs[s.down] = offset
	}
	if a, is := actOf(e); is {
		s.isAct, s.id = true, a.digest()
		_, repeated := w.ids[s.id]
		w.ids[s.id] = offset
		void = void || repeated
	}
	if s.by != nil || s.down != "" {
		w.seen.push(s)
	}
	return void
}

// IsDown reports whether connector was declared down within the N offsets up
// to the last one judged.
func (w *VoidWindow) IsDown(connector string) bool {
	_, down := w.downs[connector]
	return down
}

// counted adds the event's counter and reports whether it is a repeated one.
func (w *VoidWindow) counted(offset int64, e *Event) (by *counters, void bool) {
	by = w.counters[e.Connector]
	if by == nil {
		by = &counters{connector: e.Connector}
		w.counters[e.Connector] = by
	}
	c := by.counts
	void = len(c) > 0 && e.Counter <= c[0].counter
	for len(c) > 0 && c[len(c)-1].counter <= e.Counter {
		c = c[:len(c)-1]
	}
	by.counts = append(c, count{offset, e.Counter})
	return by, void
}

// forget drops what is below offset.
func (w *VoidWindow) forget(offset int64) {
	for w.seen.len() > 0 && w.seen.front().offset < offset {
		s := w.seen.pop()
		if by := s.by; by != nil && by.counts[0].offset <= s.offset {
			// The newest event of a connector has an entry, so this is its last.
			if by.counts = by.counts[1:]; len(by.counts) == 0 {
				delete(w.counters, by.connector)
			}
		}
		if s.isAct && w.ids[s.id] == s.offset {
			delete(w.ids, s.id)
		}
		if s.down != "" && w.downs[s.down] == s.offset {
			delete(w.downs, s.down)
		}
	}
}

// act is what makes a retry the same act as before. Nobody can use up the id of
// somebody else.
type act struct {
	channel   string
	key       bool // actor is a key of the API
	backend   bool
	actor, id string
}

// actOf is what the event does under an id; false: it has none.
func actOf(e *Event) (a act, is bool) {
	switch k := e.Kind.(type) {
	case *Event_Chat:
		c := k.Chat
		return act{channel: c.Channel, backend: c.Origin != Origin_ORIGIN_CLIENT, actor: c.User, id: c.Id}, true
	case *Event_Change:
		c := k.Change
		return act{channel: c.Channel, backend: c.Origin != Origin_ORIGIN_CLIENT, actor: c.User, id: c.Id}, true
	case *Event_Pin:
		return byAuthor(k.Pin.Channel, k.Pin.By, k.Pin.Id), true
	case *Event_Sanction:
		return byAuthor(k.Sanction.Channel, k.Sanction.By, k.Sanction.Id), true
	case *Event_Purge:
		return byAuthor(k.Purge.Channel, k.Purge.By, k.Purge.Id), true
	case *Event_Set:
		return byAuthor(k.Set.Channel, k.Set.By, k.Set.Id), true
	}
	return act{}, false
}

func byAuthor(channel string, by *Author, id string) act {
	if key := by.GetKey(); key != "" {
		return act{channel: channel, key: true, backend: true, actor: key, id: id}
	}
	return act{channel: channel, actor: by.GetUser(), id: id}
}

// digest condenses an act, which bounds the window's memory. That of a client's
// chat is what it was in format 1.
func (a *act) digest() actID {
	var buf [MaxName*2 + MaxID + 16]byte
	b := binary.AppendUvarint(buf[:0], uint64(len(a.channel)))
	b = append(b, a.channel...)
	b = binary.AppendUvarint(b, uint64(len(a.actor)))
	b = append(b, a.actor...)
	b = append(b, a.id...)
	if a.backend || a.key {
		b = append(b, 0xff, flag(a.backend), flag(a.key)) // 0xff is in no id
	}
	sum := sha256.Sum256(b)
	return actID(sum[:16])
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// queue is a FIFO of sightings that reuses its memory.
type queue struct {
	items []sighting
	head  int
}

func (q *queue) len() int         { return len(q.items) - q.head }
func (q *queue) front() *sighting { return &q.items[q.head] }

func (q *queue) push(s sighting) {
	if q.head > 1024 && q.head*2 > len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, s)
}

func (q *queue) pop() sighting {
	s := q.items[q.head]
	q.items[q.head] = sighting{}
	q.head++
	return s
}
