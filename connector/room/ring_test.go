package room

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The ring answers a page only when it is sure, and then like a reader that
// has every message.
func TestRingPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, r := drawRing(t)
		user := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "user")
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		seq := rapid.Int64Range(0, 60).Draw(t, "seq")
		s := Span{user, rapid.Int64Range(1, 60).Draw(t, "end"), rapid.SampledFrom([]int{1, 4, 6, 9, 1 << 20}).Draw(t, "bytes")}
		visible := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.visibleTo(user) || e.seq >= s.End })
		below := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq >= seq })
		above := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq <= seq })
		from := slices.DeleteFunc(slices.Clone(visible), func(e entry) bool { return e.seq < seq })

		if p, ok := r.before(s, seq, limit); ok {
			want := fitting(below, limit, s.Bytes, true)
			expect(t, "before", p, want, len(below) > len(want))
		}
		if p, ok := r.after(s, seq, limit); ok {
			want := fitting(above, limit, s.Bytes, false)
			expect(t, "after", p, want, len(above) > len(want))
		}
		if p, ok := r.around(s, seq, limit); ok {
			half := limit / 2
			near := append(slices.Clone(below[max(0, len(below)-half):]), from[:min(limit-half, len(from))]...)
			slices.SortStableFunc(near, func(a, b entry) int { return cmp.Compare(max(seq-a.seq, a.seq-seq), max(seq-b.seq, b.seq-seq)) })
			near = fitting(nearFirst(near, seq), limit, s.Bytes, false)
			slices.SortFunc(near, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
			old := len(slices.DeleteFunc(slices.Clone(near), func(e entry) bool { return e.seq >= seq }))
			expect(t, "around", p, near, len(below) > old)
			if p.Newer != (len(from) > len(near)-old) {
				t.Fatalf("around: newer %v", p.Newer)
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

func expect(t *rapid.T, what string, p Page, want []entry, more bool) {
	t.Helper()
	var got, wanted []string
	for _, m := range p.Messages {
		got = append(got, string(m))
	}
	for _, e := range want {
		wanted = append(wanted, string(e.json))
	}
	if !slices.Equal(got, wanted) || p.More != more {
		t.Fatalf("%s: %v more %v, want %v more %v", what, got, p.More, wanted, more)
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
	if len(r.entries) > 100 || r.bytes > RingBytes || r.floor != r.entries[0].seq {
		t.Errorf("%d entries, %d bytes, floor %d, first %d", len(r.entries), r.bytes, r.floor, r.entries[0].seq)
	}
}
