package connector

import (
	"math"
	"slices"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// pageFrom encodes what was found, as much of it as fits into bytes, from the
// end that q asks for.
func pageFrom(q *history.Query, found *history.Page, bytes int) room.Page {
	p := room.Page{
		More: found.More, Newer: found.Newer, Older: found.Older, Asof: found.Asof, Seq: found.Seq, Next: found.Next,
	}
	var from, to int
	if q.Mode == history.After && found.Seq != 0 {
		to = fitForward(&p, q.Channel, found, bytes)
	} else {
		from, to = fit(&p, q, found, bytes)
	}
	p.Mine = slices.DeleteFunc(slices.Clone(found.Mine), func(m rpc.Mine) bool {
		return to == from || m.Seq < found.Messages[from].Seq || m.Seq > found.Messages[to-1].Seq
	})
	return p
}

// fit takes what is nearest to what q asks for.
func fit(p *room.Page, q *history.Query, found *history.Page, bytes int) (from, to int) {
	at := int64(math.MaxInt64) // the newest are nearest
	switch q.Mode {
	case history.After:
		at = 0
	case history.Around:
		at = q.Around
	}
	p.Messages, from, to = room.Fit(found.Messages, found.Mine, at, bytes)
	few := q.Reply != 0 || q.Author != ""
	if from > 0 {
		p.More, p.Older = true, ""
		if few {
			p.Next = found.Messages[from].Seq
		}
	}
	if to < len(found.Messages) && q.Mode == history.After {
		p.More = true
		if few {
			p.Next = found.Messages[to-1].Seq
		}
	} else if to < len(found.Messages) {
		p.Newer = true
	}
	return from, to
}

// fitForward takes messages, changes and counts of reactions in the order of the log,
// and one at least. It returns how many messages.
func fitForward(p *room.Page, channel string, found *history.Page, bytes int) (messages int) {
	beside := map[int64]int{}
	for i := range found.Mine {
		beside[found.Mine[i].Seq] = 1 + len(rpc.AppendJSON(nil, &found.Mine[i]))
	}
	for i, j, k, used := 0, 0, 0, 0; i < len(found.Messages) || j < len(found.Changes) || k < len(found.Reacted); {
		message, change, reacted := int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64)
		if i < len(found.Messages) {
			message = found.Messages[i].Seq
		}
		if j < len(found.Changes) {
			change = found.Changes[j].Seq
		}
		if k < len(found.Reacted) {
			reacted = found.ReactedAt[k]
		}
		var json []byte
		var shown rpc.Change
		seq := min(message, change, reacted)
		switch seq {
		case message:
			json = rpc.AppendMessage(nil, &found.Messages[i])
		case change:
			shown = found.Changes[j].Wire(channel)
			json = rpc.AppendJSON(nil, &shown)
		default:
			json = rpc.AppendJSON(nil, &found.Reacted[k])
		}
		if used += len(json) + 1 + beside[seq]; used > bytes && i+j+k > 0 {
			p.Seq, p.More = seq-1, true
			return i
		}
		switch seq {
		case message:
			p.Messages, i = append(p.Messages, json), i+1
		case change:
			p.Changes, j = append(p.Changes, shown), j+1
		default:
			p.Reacted, k = append(p.Reacted, found.Reacted[k]), k+1
		}
	}
	return len(found.Messages)
}
