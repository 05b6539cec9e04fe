package connector

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func drawMessage(t *rapid.T) rpc.Message {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\x00b", "\u2028", `"\`, "<b>&", "大厅", "\x7f"}))
	return rpc.Message{
		Channel: text.Draw(t, "channel"), Seq: rapid.Int64Min(1).Draw(t, "seq"), ID: text.Draw(t, "id"),
		User: text.Draw(t, "user"), To: text.Draw(t, "to"), Body: text.Draw(t, "body"),
		Time: rapid.Int64().Draw(t, "time"), Trace: text.Draw(t, "trace"),
	}
}

// What is encoded by hand is what encoding/json makes of the rpc types.
func TestEncodersWriteTheProtocolTypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		prev := rapid.Int64().Draw(t, "prev")
		push, stored := chatPush(nil, &m, prev)
		if want := rpc.AppendPush(nil, rpc.PushChat, rpc.ChatPush{Message: m, Prev: prev}); string(push) != string(want) {
			t.Fatalf("push\n%s\nwant\n%s", push, want)
		}
		if want := rpc.AppendJSON(nil, m); string(stored) != string(want) {
			t.Fatalf("message\n%s\nwant\n%s", stored, want)
		}
	})
}

func TestJoinResultIsTheProtocolType(t *testing.T) {
	inc := &incarnation{}
	inc.log.Epoch = "e1"
	ch := &channel{name: "lobby", partition: 3}
	m := rpc.Message{Channel: "lobby", Seq: 7, ID: "x", User: "ada", Body: "hi", Time: 1}
	yes := true
	j := &joinCall{call: &call{id: []byte("5")}}
	got := inc.appendJoinResult(nil, j, ch, view{seq: 9, last: 7, users: []string{"ada", "bob"}, count: 2},
		past{page: page{messages: [][]byte{rpc.AppendJSON(nil, m)}, more: true}, recovered: &yes, reason: "r", degraded: true})
	want := rpc.AppendResult(nil, []byte("5"), rpc.JoinResult{
		Channel: "lobby", Epoch: "e1", Seq: 9, Last: 7, Members: []rpc.Member{{User: "ada"}, {User: "bob"}}, Count: 2,
		Messages: []rpc.Message{m}, More: true, Partition: 3, Recovered: &yes, Reason: "r", Degraded: true,
	})
	if string(got) != string(want) {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

func TestWatermarks(t *testing.T) {
	push := func(offset int64, index int32, prevOffset int64, prevIndex int32) *schema.Push {
		return &schema.Push{Partition: 1, Offset: offset, Index: index, PrevOffset: prevOffset, PrevIndex: prevIndex}
	}
	w := pushChain{}
	for i, c := range []struct {
		push  *schema.Push
		fresh bool
		lost  bool
	}{
		{push(5, 0, 0, 0), true, false},
		{push(5, 0, 0, 0), false, false},  // a repeat
		{push(5, 1, 5, 0), true, false},   // the second push of one event
		{push(4, 0, 3, 9), false, false},  // a replay whose predecessor is unknown here
		{push(9, 0, 7, 0), false, true},   // 7/0 never came
		{push(9, 0, 5, 1), true, false},   // nothing was taken from the one before
		{push(10, 2, 10, 1), false, true}, // index 0 and 1 never came
	} {
		fresh, err := w.accept(c.push)
		if fresh != c.fresh || (err != nil) != c.lost {
			t.Errorf("push %d: fresh %v, error %v; want %v, %v", i, fresh, err, c.fresh, c.lost)
		}
	}
}

func TestReplicaIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r replica
		want := map[string]bool{}
		for _, step := range rapid.SliceOf(rapid.IntRange(-9, 9)).Draw(t, "steps") {
			user := fmt.Sprint("u", max(step, -step))
			if step < 0 {
				r.remove(user)
				delete(want, user)
			} else {
				r.add(user)
				want[user] = true
			}
		}
		if len(r.users) != len(want) || !slices.IsSorted(r.users) {
			t.Fatalf("%v, want the users of %v", r.users, want)
		}
		var paged []string
		for after := ""; ; {
			p := r.page(after, 3)
			if paged = append(paged, p...); len(p) < 3 {
				break
			}
			after = p[2]
		}
		if !slices.Equal(paged, r.users) {
			t.Fatalf("pages give %v of %v", paged, r.users)
		}
	})
}

// The ring answers a page only when it is sure, and then like a reader that
// has every message.
func TestRingPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, r := drawRing(t)
		user := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "user")
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		seq := rapid.Int64Range(0, 60).Draw(t, "seq")
		s := span{user, rapid.Int64Range(1, 60).Draw(t, "end"), rapid.SampledFrom([]int{1, 4, 6, 9, 1 << 20}).Draw(t, "bytes")}
		visible := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.visibleTo(user) || e.seq >= s.end })
		below := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq >= seq })
		above := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq <= seq })
		from := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq < seq })

		if p, ok := r.before(s, seq, limit); ok {
			want := fitting(below, limit, s.bytes, true)
			expect(t, "before", p, want, len(below) > len(want))
		}
		if p, ok := r.after(s, seq, limit); ok {
			want := fitting(above, limit, s.bytes, false)
			expect(t, "after", p, want, len(above) > len(want))
		}
		if p, ok := r.around(s, seq, limit); ok {
			half := limit / 2
			near := append(slices.Clone(below[max(0, len(below)-half):]), from[:min(limit-half, len(from))]...)
			slices.SortStableFunc(near, func(a, b entry) int { return cmp.Compare(max(seq-a.seq, a.seq-seq), max(seq-b.seq, b.seq-seq)) })
			near = fitting(nearFirst(near, seq), limit, s.bytes, false)
			slices.SortFunc(near, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
			old := len(slices.DeleteFunc(slices.Clone(near), func(e entry) bool { return e.seq >= seq }))
			expect(t, "around", p, near, len(below) > old)
			if p.newer != (len(from) > len(near)-old) {
				t.Fatalf("around: newer %v", p.newer)
			}
		}
	})
}

// nearFirst has, of two that are as near, the newer one first.
func nearFirst(entries []entry, seq int64) []entry {
	for i := 1; i < len(entries); i++ {
		if a, b := entries[i-1], entries[i]; seq-a.seq == b.seq-seq {
			entries[i-1], entries[i] = b, a
		}
	}
	return entries
}

// fitting are the first entries, or the newest, that fit into limit and bytes,
// each with a comma; one at least.
func fitting(entries []entry, limit, bytes int, newest bool) []entry {
	n, size := 0, 0
	for ; n < min(limit, len(entries)); n++ {
		e := entries[n]
		if newest {
			e = entries[len(entries)-1-n]
		}
		if size += len(e.json) + 1; size > bytes && n > 0 {
			break
		}
	}
	if newest {
		return entries[len(entries)-n:]
	}
	return entries[:n]
}

func drawRing(t *rapid.T) (all []entry, r ring) {
	r.maxEntries = rapid.IntRange(1, 12).Draw(t, "most")
	r.floor = rapid.Int64Range(0, 20).Draw(t, "floor")
	for seq := int64(1); seq < 50; seq += rapid.Int64Range(1, 5).Draw(t, "step") {
		e := entry{seq: seq, user: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "from"), json: fmt.Append(nil, seq)}
		if rapid.IntRange(0, 3).Draw(t, "private") == 0 {
			e.to = rapid.SampledFrom([]string{"a", "c"}).Draw(t, "to")
		}
		all = append(all, e)
	}
	older := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.seq >= r.floor })
	for _, e := range all {
		if e.seq >= r.floor {
			r.add(e)
		}
	}
	if rapid.Bool().Draw(t, "filled") && len(older) > 0 && r.floor <= 20 && len(r.entries) < r.maxEntries {
		n := rapid.IntRange(0, len(older)).Draw(t, "n")
		r.prepend(older[n:], map[bool]int64{true: 0, false: older[max(n, 1)-1].seq + 1}[n == 0], "")
	}
	return all, r
}

func expect(t *rapid.T, what string, p page, want []entry, more bool) {
	t.Helper()
	var got, wanted []string
	for _, m := range p.messages {
		got = append(got, string(m))
	}
	for _, e := range want {
		wanted = append(wanted, string(e.json))
	}
	if !slices.Equal(got, wanted) || p.more != more {
		t.Fatalf("%s: %v more %v, want %v more %v", what, got, p.more, wanted, more)
	}
}

// A ring is bounded in messages and in bytes, and begins with its floor.
//
//parley:bound a ring
func TestRingIsBounded(t *testing.T) {
	r := ring{maxEntries: 100}
	for i := range int64(1000) {
		r.add(entry{seq: i + 1, json: make([]byte, 20_000)})
	}
	if len(r.entries) > 100 || r.bytes > ringBytes || r.floor != r.entries[0].seq {
		t.Errorf("%d entries, %d bytes, floor %d, first %d", len(r.entries), r.bytes, r.floor, r.entries[0].seq)
	}
}

func TestErrorsAreJSON(t *testing.T) {
	var r struct{ Error rpc.Error }
	if err := json.Unmarshal(rpc.AppendError(nil, []byte("1"), rpc.TooLarge(5)), &r); err != nil || r.Error.Data.Limit != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}
