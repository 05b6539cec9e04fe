package connector

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// A page after a position takes messages and changes in the order of the log, as many
// as fit, and says up to where it has all of them: going on there, one gets each once.
func TestPagesForwardHoldWhatFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all history.Page
		for seq := int64(11); seq < 40; seq += rapid.Int64Range(1, 4).Draw(t, "gap") {
			body := strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "body"))
			switch rapid.SampledFrom([]string{"message", "change", "reaction"}).Draw(t, "kind") {
			case "message":
				all.Messages = append(all.Messages, rpc.Message{Channel: "a", Seq: seq, Body: body})
				if rapid.Bool().Draw(t, "mine") {
					all.Mine = append(all.Mine, rpc.Mine{Seq: seq, Names: []string{"x"}})
				}
			case "reaction":
				all.Reacted = append(all.Reacted, rpc.Reacted{Target: seq - 10, Counts: map[string]int{body: 1}})
				all.ReactedAt = append(all.ReactedAt, seq)
			default:
				r := changes.Record{Target: 3, Change: changes.Change{Seq: seq, Edit: &changes.Edit{Body: body}}}
				all.Changes = append(all.Changes, r)
			}
		}
		var got, want []string
		bytes := rapid.IntRange(0, 2000).Draw(t, "bytes")
		for after := int64(10); ; {
			p := pageFrom(&history.Query{Channel: "a", Mode: history.After, After: after}, rest(&all, after), bytes)
			n, size := len(p.Messages)+len(p.Changes)+len(p.Reacted), 0
			for _, m := range p.Messages {
				size += len(m) + 1
				got = append(got, string(m))
			}
			for i := range p.Changes {
				change := rpc.AppendJSON(nil, &p.Changes[i])
				size += len(change) + 1
				got = append(got, string(change))
			}
			for i := range p.Reacted {
				reacted := rpc.AppendJSON(nil, &p.Reacted[i])
				size += len(reacted) + 1
				got = append(got, string(reacted))
			}
			for i := range p.Mine {
				size += 1 + len(rpc.AppendJSON(nil, &p.Mine[i]))
				got = append(got, fmt.Sprint(p.Mine[i]))
			}
			if p.More && n == 0 || size > bytes && n > 1 || p.More != (p.Seq < 50) || p.Seq <= after {
				t.Fatalf("%d of %d bytes, %d entries, up to %d, more %v", size, bytes, n, p.Seq, p.More)
			}
			if after = p.Seq; !p.More {
				break
			}
		}
		for i := range all.Messages {
			want = append(want, string(rpc.AppendMessage(nil, &all.Messages[i])))
		}
		for i := range all.Changes {
			change := all.Changes[i].Wire("a")
			want = append(want, string(rpc.AppendJSON(nil, &change)))
		}
		for i := range all.Reacted {
			want = append(want, string(rpc.AppendJSON(nil, &all.Reacted[i])))
		}
		for i := range all.Mine {
			want = append(want, fmt.Sprint(all.Mine[i]))
		}
		if missing, extra := difference(want, got); len(missing)+len(extra) > 0 {
			t.Fatalf("missing %q, extra %q", missing, extra)
		}
	})
}

// rest is what history has after a position.
func rest(all *history.Page, after int64) *history.Page {
	p := &history.Page{Seq: 50}
	for _, m := range all.Messages {
		if m.Seq > after {
			p.Messages = append(p.Messages, m)
		}
	}
	for _, c := range all.Changes {
		if c.Seq > after {
			p.Changes = append(p.Changes, c)
		}
	}
	for i, at := range all.ReactedAt {
		if at > after {
			p.Reacted, p.ReactedAt = append(p.Reacted, all.Reacted[i]), append(p.ReactedAt, at)
		}
	}
	for _, m := range all.Mine {
		if m.Seq > after {
			p.Mine = append(p.Mine, m)
		}
	}
	return p
}

// difference is what is in one alone, each as often as it is there.
func difference(want, got []string) (missing, extra []string) {
	n := map[string]int{}
	for _, w := range want {
		n[w]++
	}
	for _, g := range got {
		n[g]--
	}
	for s, n := range n {
		if n > 0 {
			missing = append(missing, s)
		} else if n < 0 {
			extra = append(extra, s)
		}
	}
	return missing, extra
}

// A page of few among many that is cut says where to go on.
func TestPagesOfFewSayWhereToGoOn(t *testing.T) {
	found := &history.Page{Next: 5, More: true}
	for seq := range int64(10) {
		found.Messages = append(found.Messages, rpc.Message{Channel: "a", Seq: 10 + seq, Body: strings.Repeat("x", 100)})
	}
	before := pageFrom(&history.Query{Mode: history.Before, Before: 30, Author: "ada"}, found, 700)
	if n := len(before.Messages); n == 0 || n == 10 || before.Next != int64(20-n) || !before.More {
		t.Errorf("%d messages, next %d, more %v", len(before.Messages), before.Next, before.More)
	}
	after := pageFrom(&history.Query{Mode: history.After, After: 3, Author: "ada"}, found, 700)
	if n := len(after.Messages); n == 0 || n == 10 || after.Next != int64(9+n) || !after.More {
		t.Errorf("%d messages, next %d, more %v", len(after.Messages), after.Next, after.More)
	}
	if whole := pageFrom(&history.Query{Mode: history.Before, Before: 30, Author: "ada"}, found, 1<<20); len(whole.Messages) != 10 || whole.Next != 5 {
		t.Errorf("%d messages, next %d", len(whole.Messages), whole.Next)
	}
}
