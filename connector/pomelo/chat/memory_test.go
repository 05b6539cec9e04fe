package chat

import (
	"fmt"
	"testing"
	"time"
)

func TestMemoryIsForgottenAndRunsOut(t *testing.T) {
	m, now := NewMemory(), time.Unix(0, 0)
	m.now = func() time.Time { return now }
	m.keep("ada", "r", 7, "e")
	m.keep("ada", "r", 9, "e")
	m.keep("bob", "r", 5, "e")
	if seq, epoch := m.seen("ada", "r"); seq != 9 || epoch != "e" {
		t.Fatalf("ada has seen %d, %q; want the newest, 9", seq, epoch)
	}
	m.forget("ada", "r")
	if _, epoch := m.seen("ada", "r"); epoch != "" {
		t.Fatal("it is not forgotten")
	}
	now = now.Add(memoryTime)
	if _, epoch := m.seen("bob", "r"); epoch != "" {
		t.Fatal("it was kept for too long")
	}
	m.forget("bob", "r")
	if m.bytes != 0 || m.order.Len() != 0 || len(m.known) != 0 {
		t.Fatalf("of nothing %d bytes are left", m.bytes)
	}
}

//parley:bound what users of pomelo had seen
func TestMemoryForgetsTheOldest(t *testing.T) {
	m := NewMemory()
	for i := range 2 * memoryBytes / placeBytes {
		m.keep(fmt.Sprint(i), "r", 1, "e")
		if m.bytes > memoryBytes {
			t.Fatalf("it takes %d bytes", m.bytes)
		}
	}
	if _, epoch := m.seen("0", "r"); epoch != "" {
		t.Fatal("the oldest is still there")
	}
	if _, epoch := m.seen(fmt.Sprint(2*memoryBytes/placeBytes-1), "r"); epoch == "" {
		t.Fatal("the newest is gone")
	}
}

func TestWhatWasSeen(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var tr trail
	for s := 1; s <= 40; s++ {
		room := "r"
		if s > 38 {
			room = "other"
		}
		tr.add(mark{at: at(s), room: room, epoch: "e", seq: int64(100 + s)})
	}
	for _, c := range []struct {
		heard int
		seq   int64
	}{{36, 133}, {45, 138}, {28, 125}, {20, 0}} {
		if m, found := tr.seen("r", at(c.heard)); m.seq != c.seq || found != (c.seq != 0) {
			t.Errorf("heard at %d, seen is %d, %v; want %d", c.heard, m.seq, found, c.seq)
		}
	}
	if tr.due(at(44)) || !tr.due(at(45)) {
		t.Error("the next mark is due at another time")
	}
}
