package sim

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// past is what a read finds of a channel: messages as they were sent, and changes,
// both ascending and without what is void.
type past struct {
	messages  []rpc.Message
	changes   []changes.Record
	sanctions []sanctioned
	from      int64 // it knows nothing of before
}

// take takes a row that is not void.
func (p *past) take(r *row) {
	if s := r.event.GetSanction(); s != nil {
		p.sanctions = append(p.sanctions, sanctioned{r.seq, r.event.Time, s})
	}
	if r.change != nil {
		p.changes = append(p.changes, *r.change)
	}
	if r.event.GetChat() == nil {
		return
	}
	p.messages = append(p.messages, messageOf(r.seq, r.event.Time, r.event.GetChat()))
}

// readPast answers with the union of what the projector stored and of the log.
func (w *world) readPast(r *read) answer {
	q := r.query
	found := &past{from: r.from}
	if !r.logged {
		w.readRows(&q, r.mark, found)
		r.from = r.mark + 1
		if w.plant == plantLateMark {
			r.from = w.projectors[schema.PartitionOf(q.Channel, partitions)].mark.Load() + 1
		}
	}
	w.readTail(&q, r.from, found)
	w.spoil(&q, r, found)
	found.messages = slices.DeleteFunc(found.messages, func(m rpc.Message) bool { return !w.maySee(&q, &m) || !wanted(&q, &m) })
	return answer{page: w.answer(&q, found), sanctions: found.sanctions}
}

// wanted says whether a query asks for the message, among others.
func wanted(q *history.Query, m *rpc.Message) bool {
	return (q.Reply == 0 || m.Reply == q.Reply) && (q.Author == "" || m.User == q.Author)
}

func (w *world) maySee(q *history.Query, m *rpc.Message) bool {
	return q.Everyone || m.VisibleTo(q.User) || w.plant == plantLeak
}

// readRows reads what was stored up to a watermark, repeats dropped.
func (w *world) readRows(q *history.Query, mark int64, found *past) {
	rows := slices.Clone(w.projectors[schema.PartitionOf(q.Channel, partitions)].rows)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.seq, b.seq) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.seq == b.seq })
	for i := range rows {
		if r := &rows[i]; r.seq <= mark && r.seq < q.End && !r.void && r.event.Channel() == q.Channel {
			found.take(r)
		}
	}
}

// readTail reads the log from an offset to the query's end. Void are what the query
// lists, or where its list does not reach the rule is applied, from a window earlier.
// The changes that the query knows spare reading these.
func (w *world) readTail(q *history.Query, from int64, found *past) {
	l := w.logs[schema.PartitionOf(q.Channel, partitions)]
	known := q.Known != nil && q.KnownFrom <= from
	judge := from < q.VoidsFrom
	start, window := from, schema.NewVoidWindow(voidWindow)
	if judge {
		start = max(0, from-voidWindow)
	}
	for seq := start; seq < min(q.End, l.end()); seq++ {
		e, err := schema.DecodeEvent(l.records[seq].value)
		if err != nil {
			continue
		}
		_, void := slices.BinarySearch(q.Voids, seq)
		if judge {
			void = window.Judge(seq, e)
		}
		if w.plant == plantVoidEdit && e.GetChange() != nil {
			void = false
		}
		r, is := rowOf(seq, void, e)
		if known {
			r.change = nil
		}
		if is && !void && seq >= from && e.Channel() == q.Channel {
			found.take(&r)
		}
	}
	if known {
		for _, c := range q.Known {
			if c.Seq >= from && c.Seq < q.End {
				found.changes = append(found.changes, c)
			}
		}
	}
}

// spoil plants bugs into what was found.
func (w *world) spoil(q *history.Query, r *read, found *past) {
	switch w.plant {
	case plantStale: // without what is above the watermark
		found.changes = slices.DeleteFunc(found.changes, func(c changes.Record) bool { return c.Seq > r.mark })
	case plantPurge:
		for i := range found.changes {
			if p := found.changes[i].Purge; p != nil {
				found.changes[i].Purge = &changes.Purge{User: p.User, Since: p.Since + 1, Reason: p.Reason}
			}
		}
	case plantPurgeLost:
		found.changes = slices.DeleteFunc(found.changes, func(c changes.Record) bool { return c.Purge != nil && isSanction(found.sanctions, c.Seq) })
	case plantTwice: // a reaction counts twice, as of another user
		for _, c := range slices.Clone(found.changes) {
			if c.React != nil {
				c.User += "'"
				found.changes = append(found.changes, c)
			}
		}
	}
}

func isSanction(all []sanctioned, seq int64) bool {
	return slices.ContainsFunc(all, func(x sanctioned) bool { return x.seq == seq })
}

// answer makes the page of what was found.
func (w *world) answer(q *history.Query, found *past) history.Page {
	p := page(q, found.messages)
	p.Asof = q.End - 1
	if w.plant == plantLatePage { // as of when it is answered, and folded as of when it was asked for
		p.Asof = w.logOf(q.Channel).end() - 1
	}
	if q.Mode == history.After && q.Epoch == "" && q.Reply == 0 && q.Author == "" {
		w.forward(q, found, &p)
	}
	if n := len(p.Messages); p.More && n > 0 && (q.Reply != 0 || q.Author != "") {
		p.Next = p.Messages[0].Seq
		if q.Mode == history.After {
			p.Next = p.Messages[n-1].Seq
		}
	}
	p.Messages = slices.Clone(p.Messages)
	for i := range p.Messages {
		m := &p.Messages[i]
		state := stateOf(m, found.changes)
		if q.States {
			p.States = append(p.States, state)
		}
		if names := state.Mine(q.User); len(names) > 0 && !q.Everyone {
			p.Mine = append(p.Mine, rpc.Mine{Seq: m.Seq, Names: names})
		}
		become(m, state)
	}
	if q.States && p.States == nil {
		p.States = []*changes.State{}
	}
	if q.Records {
		p.Records, p.RecordsFrom = append([]changes.Record{}, found.changes...), found.from
	}
	return p
}

func stateOf(m *rpc.Message, all []changes.Record) *changes.State {
	state, of := new(changes.State), changes.Message{Seq: m.Seq, User: m.User}
	for i := range all {
		if all[i].Hits(&of) {
			state.Add(&of, &all[i].Change)
		}
	}
	return state
}

// become makes a message what its state says.
func become(m *rpc.Message, s *changes.State) {
	body, kind, data, edited := s.Text(m.Body, m.Type, string(m.Data))
	m.Body, m.Type, m.Data = body, kind, nil
	if data != "" {
		m.Data = json.RawMessage(data)
	}
	if edited != nil {
		m.Edited = &rpc.Edited{Seq: edited.Seq, Time: edited.Time}
	}
	for _, c := range s.Reactions() {
		m.Reactions = append(m.Reactions, rpc.Reaction{Name: c.Name, Count: c.Count})
	}
	if d := s.Deleted(); d != nil {
		m.Deleted = &rpc.Deleted{Seq: d.Seq, Time: d.Time, By: rpc.Author{User: d.User, Key: d.Key}, Reason: d.Reason}
		m.Reply, m.Mentions = 0, nil
	}
}

// forward adds the changes of older messages to a page of newer ones: as many of both
// as the limit has room for, in the order of the log.
func (w *world) forward(q *history.Query, found *past, p *history.Page) {
	all := p.Messages
	p.Seq = max(q.After, q.End-1)
	if n := len(all); p.More && n > 0 {
		p.Seq = all[n-1].Seq
	}
	for {
		p.Messages = slices.DeleteFunc(slices.Clone(all), func(m rpc.Message) bool { return m.Seq > p.Seq })
		p.Changes, p.Reacted, p.ReactedAt = w.older(q, found, p.Seq)
		if len(p.Messages)+len(p.Changes)+len(p.Reacted) <= q.Limit || p.Seq <= q.After {
			return
		}
		p.More = true
		p.Seq--
	}
}

// older are the changes in (after, upTo] of messages at or below after.
func (w *world) older(q *history.Query, found *past, upTo int64) (listed []changes.Record, reacted []rpc.Reacted, at []int64) {
	for _, c := range found.changes {
		visible := q.Everyone || c.VisibleTo(q.User) || w.plant == plantLeakedChange
		since := q.After
		if c.React != nil && q.ReactedFrom > 0 {
			since = min(since, q.ReactedFrom-1)
		}
		if c.Seq <= since || c.Seq > upTo || c.Target > q.After || !visible {
			continue
		}
		if c.React == nil {
			if stateOf(&rpc.Message{Seq: c.Target, User: c.Author}, found.changes).Deleted() != nil {
				c = c.Bare()
			}
			listed = append(listed, c)
			continue
		}
		i := slices.IndexFunc(reacted, func(r rpc.Reacted) bool { return r.Target == c.Target })
		if i < 0 {
			i = len(reacted)
			reacted, at = append(reacted, rpc.Reacted{Target: c.Target, Counts: map[string]int{}}), append(at, c.Seq)
		}
		reacted[i].Counts[c.React.Name] = 0
		for _, r := range stateOf(&rpc.Message{Seq: c.Target, User: c.Author}, found.changes).Reactions() {
			if r.Name == c.React.Name {
				reacted[i].Counts[r.Name] = r.Count
			}
		}
	}
	if w.plant == plantLostChange && len(listed) > 0 {
		listed = listed[1:]
	}
	return listed, reacted, at
}

// page cuts the messages below the query's end as its mode says.
func page(q *history.Query, all []rpc.Message) history.Page {
	below := func(seq int64) int {
		return slices.IndexFunc(append(slices.Clone(all), rpc.Message{Seq: 1 << 60}), func(m rpc.Message) bool { return m.Seq >= seq })
	}
	newest := func(m []rpc.Message, limit int) ([]rpc.Message, bool) {
		return m[max(0, len(m)-limit):], len(m) > limit
	}
	oldest := func(m []rpc.Message, limit int) ([]rpc.Message, bool) {
		return m[:min(limit, len(m))], len(m) > limit
	}
	var p history.Page
	switch q.Mode {
	case history.Before:
		p.Messages, p.More = newest(all[:below(q.Before)], q.Limit)
	case history.After:
		p.Messages, p.More = oldest(all[below(q.After+1):], q.Limit)
	case history.Around:
		old, more := newest(all[:below(q.Around)], q.Limit/2)
		recent, newer := oldest(all[below(q.Around):], q.Limit-q.Limit/2)
		p.Messages, p.More, p.Newer = slices.Concat(old, recent), more, newer
	default:
		p.Messages, p.More = newest(all, q.Limit)
	}
	return p
}
