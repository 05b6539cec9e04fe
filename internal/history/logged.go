package history

import (
	"errors"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// logged are a channel's chats, changes and sanctions in a part of the log, ascending.
type logged struct {
	all     []rpc.Message // as they were sent
	void    []bool        // of each, where the read judges
	changes []changes.Record
	undone  []bool // of each change, as void

	sanctions []sanctioned
}

// add keeps the chats, changes and sanctions of the channels that are waited for, and reports
// whether rec is one.
func (r *tailRead) add(rec *eventlog.Record, window *schema.VoidWindow) (kept bool, err error) {
	e, err := schema.DecodeEvent(rec.Value)
	if errors.Is(err, schema.ErrCorrupt) {
		return false, nil // the log's consumer has counted and logged it
	}
	if err != nil {
		return false, err
	}
	void := window != nil && window.Judge(rec.Offset, e)
	of, wanted := r.channels[e.Channel()]
	if !wanted || rec.Offset < r.from {
		return false, nil
	}
	if c := e.GetChat(); c != nil {
		of.void = append(of.void, void)
		of.all = append(of.all, messageOf(rec.Offset, e.Time, c))
		return true, nil
	}
	change, is := changes.Of(rec.Offset, e)
	if is {
		of.undone = append(of.undone, void)
		of.changes = append(of.changes, change)
	}
	if s := e.GetSanction(); s != nil { // some are changes as well
		of.sanctions = append(of.sanctions, sanctioned{rec.Offset, e.Time, s, void})
		is = true
	}
	return is, nil
}

// messageOf is a chat as it was sent.
func messageOf(seq, time int64, c *schema.Chat) rpc.Message {
	m := rpc.Message{
		Channel: c.Channel, Seq: seq, ID: c.Id, User: c.User, Info: c.Info, To: c.To, Body: c.Body, Type: c.Type, Data: c.Data,
		Reply: c.Reply, Mentions: c.Mentions, Key: c.Key, Time: time, Trace: c.Trace,
	}
	if c.Origin == schema.Origin_ORIGIN_BACKEND {
		m.Origin = rpc.OriginBackend
	}
	return m
}

// messages picks what a query may see of a read that is done, from the end that
// s asks for: a step holds many more than one answer does, and each caller
// keeps what it picks.
func (r *tailRead) messages(q *Query, s span) []rpc.Message {
	if r.err != nil {
		return nil
	}
	var found []rpc.Message
	c := r.channels[q.Channel]
	size := 0
	for k := range c.all {
		i := s.at(k, len(c.all))
		m := &c.all[i]
		if m.Seq < s.from || m.Seq >= s.to || !q.wants(m) || r.isVoid(q, c.void, i, m.Seq) {
			continue
		}
		found = append(found, *m)
		if size += textOf(m); s.over(len(found), size) {
			break // it is known that there are more
		}
	}
	if s.newest {
		slices.Reverse(found)
	}
	return found
}

// changesOf are those of a channel in [from, to) of a read that is done.
func (r *tailRead) changesOf(q *Query, from, to int64) []changes.Record {
	var found []changes.Record
	c := r.channels[q.Channel]
	for i := range c.changes {
		change := &c.changes[i]
		if change.Seq >= from && change.Seq < to && !r.isVoid(q, c.undone, i, change.Seq) {
			found = append(found, *change)
		}
	}
	return found
}

// isVoid reports whether the read's i-th chat or change of a channel, at seq, is void.
func (r *tailRead) isVoid(q *Query, judged []bool, i int, seq int64) bool {
	if r.judge {
		return judged[i]
	}
	_, void := slices.BinarySearch(q.Voids, seq)
	return void
}
