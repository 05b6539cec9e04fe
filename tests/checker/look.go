package checker

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// maxNames is how many names of reactions a message shows.
const maxNames = 20

// pair is a user's reaction with a name.
type pair struct{ user, name string }

// look is what a message is at a position: its changes, taken one after the other
// in the order of the log.
type look struct {
	body, kind, data string
	edited           *rpc.Edited
	deleted          *rpc.Deleted
	pairs            map[pair]int64 // by what made it so
}

// look is what the message is once the event at seq has passed.
func (m *message) look(seq int64) look {
	l := look{body: m.chat.Body, kind: m.chat.Type, data: string(m.chat.Data), pairs: map[pair]int64{}}
	for i := range m.changes {
		if m.changes[i].seq > seq || l.deleted != nil {
			break // nothing that comes later changes what is deleted
		}
		l.take(&m.changes[i])
	}
	return l
}

func (l *look) take(c *change) {
	if p := c.purge; p != nil {
		l.drop(c, rpc.Author{User: p.by.GetUser(), Key: p.by.GetKey()}, p.reason)
		return
	}
	switch act := c.of.Act.(type) {
	case *schema.Change_Edit:
		l.body, l.edited = act.Edit.Body, &rpc.Edited{Seq: c.seq, Time: c.time}
		if act.Edit.Type != nil {
			l.kind = *act.Edit.Type
		}
		if act.Edit.Data != nil {
			l.data = string(act.Edit.Data)
		}
	case *schema.Change_Delete:
		by := rpc.Author{User: c.of.User}
		if c.of.Key != "" {
			by = rpc.Author{Key: c.of.Key}
		}
		l.drop(c, by, act.Delete.Reason)
	case *schema.Change_React:
		is := pair{c.of.User, act.React.Name}
		if delete(l.pairs, is); !act.React.Remove {
			l.pairs[is] = c.seq
		}
	}
}

func (l *look) drop(c *change, by rpc.Author, reason string) {
	l.deleted = &rpc.Deleted{Seq: c.seq, Time: c.time, By: by, Reason: reason}
	l.body, l.kind, l.data, l.edited = "", "", "", nil
	clear(l.pairs)
}

// counts are how many users react with each name.
func (l *look) counts() map[string]int {
	counts := map[string]int{}
	for p := range l.pairs {
		counts[p.name]++
	}
	return counts
}

// reactions are the first names, the one that has been there longest first.
func (l *look) reactions() []rpc.Reaction {
	first := map[string]int64{}
	for p, seq := range l.pairs {
		if was, known := first[p.name]; !known || seq < was {
			first[p.name] = seq
		}
	}
	counts := l.counts()
	var all []rpc.Reaction
	for _, name := range slices.SortedFunc(maps.Keys(first), func(a, b string) int { return cmp.Compare(first[a], first[b]) }) {
		all = append(all, rpc.Reaction{Name: name, Count: counts[name]})
	}
	return all[:min(len(all), maxNames)]
}

// mine are the names that a user reacts with, sorted.
func (l *look) mine(user string) []string {
	var names []string
	for p := range l.pairs {
		if p.user == user {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

// shown is the message as an answer that is folded up to seq has it.
func (m *message) shown(channel string, seq int64) rpc.Message {
	c, l := m.chat, m.look(seq)
	shown := rpc.Message{
		Channel: channel, Seq: m.seq, ID: c.Id, User: c.User, Info: json.RawMessage(c.Info), To: c.To, Time: m.time, Trace: c.Trace, Key: c.Key,
		Body: l.body, Type: l.kind, Data: json.RawMessage(l.data), Edited: l.edited, Deleted: l.deleted, Reactions: l.reactions(),
	}
	if c.Origin != schema.Origin_ORIGIN_CLIENT {
		shown.Origin = rpc.OriginBackend
	}
	if l.deleted == nil {
		shown.Reply, shown.Mentions = c.Reply, c.Mentions
	}
	return plain(shown)
}

// plain leaves out what says nothing, in one way.
func plain(m rpc.Message) rpc.Message {
	if m.Type == rpc.TypeText {
		m.Type = ""
	}
	if len(m.Data) == 0 || string(m.Data) == "null" {
		m.Data = nil
	}
	if len(m.Info) == 0 {
		m.Info = nil
	}
	if len(m.Mentions) == 0 {
		m.Mentions = nil
	}
	if len(m.Reactions) == 0 {
		m.Reactions = nil
	}
	return m
}
