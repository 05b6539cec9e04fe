package sim

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	logEpoch   = "e1"
	voidWindow = 6 // N: small, so that runs cross its edges
	partitions = 2
)

// channels live in both partitions, two of them in one.
var channels = []string{"a", "a/b", "d"}

// log is a partition of parley.events, and what is true of it: the rule for
// void events, memberships and messages, worked out from their definitions and
// not by the code under test.
type log struct {
	partition int
	records   []record // by offset
	channels  map[string]*channel
}

// record is an event; nil for a corrupt record.
type record struct {
	event *schema.Event
	value []byte
	void  bool
}

// channel is what is true of a channel.
type channel struct {
	messages []rpc.Message // not void, ascending
	prevs    []int64       // of each message
	changes  []change      // not void, ascending
	settings []rpc.Settings
	voids    []int64           // acts
	members  map[string]member // by session
	stays    map[string][]stay // by session

	sanctions []sanctioned               // not void, ascending
	shown     map[string]map[string]bool // by connector: the users whom it shows
	watching  map[string]bool            // connectors
	crowds    map[string][]crowd         // by connector, ascending: whom it shows from that offset on
}

// stay is a membership, from its join to its end. banned: its user was banned when
// they joined, so that nobody sees them.
type stay struct {
	from, to int64
	banned   bool
}

const still = 1 << 60 // the end of a membership that lasts

type member struct{ user, connector string }

type crowd struct {
	seq   int64
	users []string
}

func newSimLog(partition int, format int32) *log {
	l := &log{partition: partition, channels: map[string]*channel{}}
	for _, name := range channels {
		if schema.PartitionOf(name, partitions) == partition {
			l.channels[name] = &channel{
				members: map[string]member{}, stays: map[string][]stay{},
				shown: map[string]map[string]bool{}, crowds: map[string][]crowd{}, watching: map[string]bool{},
			}
		}
	}
	l.append(encode(&schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{
		Epoch: logEpoch, Format: format, Window: voidWindow,
	}}}))
	return l
}

func encode(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append([]byte{}, b...) // not nil: a message of defaults is not a tombstone
}

func (l *log) end() int64 { return int64(len(l.records)) }

// append takes the next record and works out what becomes true by it.
func (l *log) append(value []byte) int64 {
	seq := l.end()
	e, err := schema.DecodeEvent(value)
	if err != nil {
		l.records = append(l.records, record{value: value})
		return seq
	}
	void := l.isVoid(seq, e)
	l.records = append(l.records, record{e, value, void})
	if d := e.GetDown(); d != nil {
		for _, ch := range l.channels {
			for session, m := range ch.members {
				if m.connector == d.Connector {
					ch.end(session, seq)
				}
			}
			ch.unwatch(d.Connector)
			ch.crowd(seq)
		}
	}
	if ch := l.channels[e.Channel()]; ch != nil {
		ch.take(seq, e, void)
	}
	return seq
}

// isVoid is the rule, as it is written down: it looks at each of the N offsets
// before.
func (l *log) isVoid(seq int64, e *schema.Event) bool {
	for _, r := range l.records[max(0, seq-voidWindow):] {
		p := r.event
		if p == nil {
			continue
		}
		if e.Connector != "" && p.Connector == e.Connector && p.Counter >= e.Counter {
			return true
		}
		if act := actOf(e); act != "" && act == actOf(p) {
			return true
		}
		if (e.GetJoin() != nil || e.GetWatch() != nil) && p.GetDown().GetConnector() == e.Connector && e.Connector != "" {
			return true
		}
	}
	return false
}

// age is how far before the next offset a message is; -1 when it is not there.
func (l *log) age(m *said) int64 {
	for seq := l.end() - 1; seq >= 0; seq-- {
		if e := l.records[seq].event; e != nil && actOf(e) == m.channel+"\x00"+m.user+"\x00"+m.id {
			return l.end() - seq
		}
	}
	return -1
}

func (ch *channel) take(seq int64, e *schema.Event, void bool) {
	switch {
	case actOf(e) == "":
	case void:
		ch.voids = append(ch.voids, seq)
	default:
		ch.changed(seq, e)
	}
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		if !void {
			ch.prevs = append(ch.prevs, ch.last(seq))
			ch.messages = append(ch.messages, messageOf(seq, e.Time, k.Chat))
		}
	case *schema.Event_Join:
		if _, known := ch.members[k.Join.Session]; !known && !void {
			ch.enter(seq, e.Time, k.Join.Session, member{k.Join.User, e.Connector})
		}
	case *schema.Event_Leave:
		if !void {
			ch.end(k.Leave.Session, seq)
		}
	case *schema.Event_Watch:
		if !void {
			ch.watching[k.Watch.Connector] = true
			ch.subscribe(seq, e.Time, k.Watch.Connector)
		}
	case *schema.Event_Unwatch:
		if !void {
			ch.unwatch(k.Unwatch.Connector)
		}
	case *schema.Event_Sanction:
		if !void {
			ch.sanction(seq, e.Time, k.Sanction)
		}
	}
	ch.crowd(seq)
}

// messageOf is a chat as it was sent.
func messageOf(seq, time int64, c *schema.Chat) rpc.Message {
	return rpc.Message{
		Channel: c.Channel, Seq: seq, ID: c.Id, User: c.User, To: c.To, Body: c.Body, Time: time,
		Type: c.Type, Data: c.Data, Reply: c.Reply, Mentions: c.Mentions,
	}
}

// end ends a session's membership, if it has one.
func (ch *channel) end(session string, seq int64) {
	if _, known := ch.members[session]; known {
		user := ch.members[session].user
		delete(ch.members, session)
		ch.stays[session][len(ch.stays[session])-1].to = seq
		ch.hide(user)
	}
}

// stayAt is a session's membership at a position; false when it had none.
func (ch *channel) stayAt(session string, seq int64) (stay, bool) {
	for _, s := range ch.stays[session] {
		if s.from <= seq && seq <= s.to {
			return s, true
		}
	}
	return stay{}, false
}

// crowd notes whom connectors show from a position on.
func (ch *channel) crowd(seq int64) {
	for connector, shown := range ch.shown {
		all := ch.crowds[connector]
		users := slices.Sorted(maps.Keys(shown))
		if n := len(all); n == 0 || !slices.Equal(all[n-1].users, users) {
			ch.crowds[connector] = append(all, crowd{seq, users})
		}
	}
}

// users are those whom a connector shows in the channel at a position.
func (ch *channel) users(connector string, seq int64) []string {
	all := ch.crowds[connector]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].seq <= seq {
			return all[i].users
		}
	}
	return nil
}

// last is the newest public message up to a position; 0: none.
func (ch *channel) last(seq int64) int64 {
	for i := len(ch.messages) - 1; i >= 0; i-- {
		if m := &ch.messages[i]; m.Seq <= seq && m.To == "" {
			return m.Seq
		}
	}
	return 0
}

// voidsAt are the void acts within the window up to a position.
func (ch *channel) voidsAt(seq int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ch.voids), func(v int64) bool { return v < seq-voidWindow || v > seq })
}

// seen are the messages in (after, upTo] that user may see.
func (ch *channel) seen(user string, after, upTo int64) []rpc.Message {
	var found []rpc.Message
	for _, m := range ch.messages {
		if m.Seq > after && m.Seq <= upTo && (m.To == "" || m.User == user || m.To == user) {
			found = append(found, m)
		}
	}
	return found
}

// prev is the public message before the one at seq.
func (ch *channel) prev(seq int64) int64 {
	for i := range ch.messages {
		if ch.messages[i].Seq == seq {
			return ch.prevs[i]
		}
	}
	return -1
}
