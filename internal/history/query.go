package history

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// Mode is which messages of a channel a query asks for.
type Mode int

const (
	// Newest asks for the newest messages.
	Newest Mode = iota
	// Before asks for the newest messages below Query.Before.
	Before
	// After asks for the oldest messages above Query.After.
	After
	// Around asks for half of the limit below Query.Around and half of it from
	// there on.
	Around
)

// Query asks for messages of one channel.
type Query struct {
	Channel string
	// User sees public messages, and the private ones from or to it.
	User string
	// Everyone asks for the private messages of all users; User is not used.
	Everyone bool
	// Reply asks for the answers to that message alone; 0: for any. Author asks for
	// what one user said; "": for any.
	Reply  int64
	Author string
	// States asks for what changes have made of each message, to go on folding. Records
	// asks for the newest changes of the channel besides, whatever their messages.
	States, Records bool

	// ReactedFrom, with After: Reacted tells of reactions from there on, where that is
	// lower than After. They may not have been pushed to who has seen what is up to
	// After. 0: from After on.
	ReactedFrom int64
	// Silent says that no public message of the channel is known of in the current
	// epoch. Whether there is any message is asked first then, which costs little
	// where many ask that at once.
	Silent bool

	Mode                  Mode
	Before, After, Around int64 // a seq, by Mode
	Limit                 int   // messages at most; 0 asks for More alone
	// Bytes of text at most, for each side of Around, but one message at least:
	// More, or Newer, is set when that leaves messages out. 0: no bound.
	Bytes int

	// End is exclusive: events at or above it are not history. They need to be
	// in the log up to there.
	End int64
	// Voids are the offsets of the channel's void chats in [VoidsFrom, End), in
	// ascending order. They spare a read of the log the window before it.
	Voids     []int64
	VoidsFrom int64
	// Known are all changes of the channel in [KnownFrom, End) that are not void,
	// ascending. They spare a read of the log above what is stored.
	Known     []changes.Record
	KnownFrom int64

	// Epoch in which seqs count; "" means the current one. End and Voids are
	// of the current one and not used in another.
	Epoch string
}

// Page is the answer to a query.
type Page struct {
	// Messages, oldest first, folded with every change up to Asof. They belong to
	// the caller.
	Messages []rpc.Message
	Asof     int64
	// States, where they were asked for, one for each message.
	States []*changes.State
	// Records, where they were asked for: all changes from RecordsFrom up to Asof that
	// are not void, ascending; at most 4,096 and 1 MiB. nil: they are not known.
	Records     []changes.Record
	RecordsFrom int64
	// Mine are the reactions of the query's User to Messages.
	Mine []rpc.Mine
	// Seq, with After in the current epoch: up to there the page has every message
	// and, in Changes and Reacted, every change since After of messages at or below
	// it that the user may see. Both count against the limit and the bytes.
	Seq     int64
	Changes []changes.Record // edits, deletions and purges, ascending
	Reacted []rpc.Reacted    // one for each target
	// ReactedAt is, of each of Reacted, where the first of its reactions is; ascending.
	ReactedAt []int64
	// Next, with Reply or Author, and More: where the search ended, as Before or
	// After to go on at. The page may hold less than the limit then.
	Next int64
	// More: there are older ones; with After, newer ones.
	More bool
	// Newer, with Around: there are newer ones.
	Newer bool
	// Older names the newest earlier epoch that has messages of the channel,
	// when this one has no older ones. Not set with After.
	Older string
}

// wants reports whether q asks for a message, and may see it.
func (q *Query) wants(m *rpc.Message) bool {
	return (q.Everyone || m.VisibleTo(q.User)) && (q.Reply == 0 || m.Reply == q.Reply) && (q.Author == "" || m.User == q.Author)
}

// few reports whether q asks for some of the messages alone.
func (q *Query) few() bool { return q.Reply != 0 || q.Author != "" }

// textOf is how many bytes of text a message has.
func textOf(m *rpc.Message) int { return len(m.Body) + len(m.Data) + len(m.Info) }

// span is a part of a page: the messages with from <= seq < to.
type span struct {
	from, to int64
	limit    int
	bytes    int // of text at most, but one message at least; 0: no bound
	// newest: the newest ones, if there are more than limit; else the oldest.
	newest bool
}

// spans are the parts that make up the page, in order.
func (q *Query) spans() []span {
	switch q.Mode {
	case Before:
		return []span{{to: min(q.Before, q.End), limit: q.Limit, bytes: q.Bytes, newest: true}}
	case After:
		return []span{{from: min(q.After, maxSeq-1) + 1, to: q.End, limit: q.Limit, bytes: q.Bytes}}
	case Around:
		return []span{
			{to: min(q.Around, q.End), limit: q.Limit / 2, bytes: q.Bytes, newest: true},
			{from: q.Around, to: q.End, limit: q.Limit - q.Limit/2, bytes: q.Bytes},
		}
	}
	return []span{{to: q.End, limit: q.Limit, bytes: q.Bytes, newest: true}}
}

// page puts the parts together. Each holds up to one message more than asked
// for, which shows that there are more.
func (q *Query) page(parts []part) Page {
	p := Page{Messages: parts[0].messages, More: parts[0].more, Next: parts[0].next}
	states := parts[0].states
	if q.Mode == Around {
		p.Messages = slices.Concat(p.Messages, parts[1].messages)
		states = slices.Concat(states, parts[1].states)
		p.Newer = parts[1].more
	}
	p.Mine = q.mine(p.Messages, states)
	if q.States {
		p.States = states
	}
	return p
}

// part is what answers a span.
type part struct {
	messages []rpc.Message // ascending
	more     bool
	states   []*changes.State // one of each
	next     int64            // see Page.Next
}

// cut makes a part of messages in ascending order that answer s, with one too
// many when there are more.
func (s *span) cut(messages []rpc.Message) part {
	n := s.fit(messages)
	if s.newest {
		return part{messages: messages[len(messages)-n:], more: n < len(messages)}
	}
	return part{messages: messages[:n], more: n < len(messages)}
}

// over reports whether n messages with size bytes of text are more than s takes.
func (s *span) over(n, size int) bool {
	return n > s.limit || s.bytes > 0 && size > s.bytes && n > 1
}

// at is the index of the k-th of n messages, from the end that s asks for.
func (s *span) at(k, n int) int {
	if s.newest {
		return n - 1 - k
	}
	return k
}

// fit is how many messages s takes, from the end that it asks for.
func (s *span) fit(messages []rpc.Message) int {
	size := 0
	for k := range messages {
		if size += textOf(&messages[s.at(k, len(messages))]); s.over(k+1, size) {
			return k
		}
	}
	return len(messages)
}

// full reports whether messages are more than s takes.
func (s *span) full(messages []rpc.Message) bool {
	return s.fit(messages) < len(messages)
}

// pick returns the messages within s, at most one more than its limit. The
// given ones are in ascending order.
func (s *span) pick(messages []rpc.Message) []rpc.Message {
	bySeq := func(m rpc.Message, seq int64) int { return int(m.Seq - seq) }
	i, _ := slices.BinarySearchFunc(messages, s.from, bySeq)
	j, _ := slices.BinarySearchFunc(messages, max(s.from, s.to), bySeq)
	found := messages[i:j]
	switch {
	case len(found) <= s.limit:
		return found
	case s.newest:
		return found[len(found)-s.limit-1:]
	}
	return found[:s.limit+1]
}
