package fold

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Members is who is in the channels of one partition at one offset, and nothing
// else: a Fold for readers that push to nobody. It is built by the same rules,
// and keeps the same records of members, but
// a channel without members costs nothing. Not safe for concurrent use.
type Members struct {
	log    Log
	next   int64 // every event below is in the state
	saved  int64 // next at the newest checkpoint
	digest uint64
	format schema.FormatGuard
	window *schema.VoidWindow

	rooms      map[string]*room
	connectors map[string]map[string]int // sessions of each connector by channel
	dirty      map[memberKey]struct{}
}

// room is a channel with members.
type room struct {
	sessions map[string]seat
	users    map[string]int // sessions of each
}

// seat is a session's membership.
type seat struct {
	user, connector string
	offset          int64 // of its join
}

// Move is a user who has come into a channel, with their first session, or gone,
// with the last.
type Move struct {
	Channel, User string
	// Joined: the user has come; else they are gone, for Reason.
	Joined bool
	Reason schema.Reason
	// Info is what the user's token told of them, of one who has come.
	Info []byte
	// Users are in the channel now.
	Users int
}

// NewMembers returns the Members of a partition of which nothing was read yet.
func NewMembers(log Log) *Members {
	return &Members{
		log: log, window: schema.NewVoidWindow(log.Window),
		rooms: map[string]*room{}, connectors: map[string]map[string]int{}, dirty: map[memberKey]struct{}{},
	}
}

// Next is the offset below which every event is in the state.
func (m *Members) Next() int64 { return m.next }

// ReadFrom is the offset from which the log is to be applied to new or restored
// Members: what is below Next fills the void window.
func (m *Members) ReadFrom() int64 { return max(0, m.next-m.log.Window) }

// Remember gives the Members the digest of the record below Next, which the
// checkpoint keeps; applying and advancing forget it.
func (m *Members) Remember(digest uint64) { m.digest = digest }

// Digest is the digest remembered of the record below Next; 0: none.
func (m *Members) Digest() uint64 { return m.digest }

// Advance records that no event below next will follow.
func (m *Members) Advance(next int64) {
	if next > m.next {
		m.next, m.digest = next, 0
	}
}

// Apply takes the event at offset into the state, and returns whether it is void
// and who came and went by it, in an order that is the same each time. Offsets
// must ascend; holes are allowed. An event below Next only fills the void
// window. The errors are those of [Fold.Apply].
func (m *Members) Apply(offset int64, e *schema.Event) (void bool, moves []Move, err error) {
	if mark := e.GetMarker(); mark != nil {
		return false, nil, m.marker(offset, mark)
	}
	if err := m.format.Judge(offset, e); err != nil {
		return false, nil, fmt.Errorf("offset %d of partition %d: %w", offset, m.log.Partition, err)
	}
	void = m.window.Judge(offset, e)
	if offset < m.next {
		return void, nil, nil
	}
	m.Advance(offset + 1)
	if void {
		return true, nil, nil
	}
	switch k := e.Kind.(type) {
	case *schema.Event_Join:
		moves = m.join(offset, e.Connector, k.Join)
	case *schema.Event_Leave:
		moves = m.leave(k.Leave.Channel, []string{k.Leave.Session}, k.Leave.Reason)
	case *schema.Event_Down:
		moves = m.down(k.Down)
	case *schema.Event_Sanction:
		moves = m.sanction(k.Sanction)
	}
	return false, moves, nil
}

// marker applies the marker at offset 0. One above it is ignored.
func (m *Members) marker(offset int64, mark *schema.Marker) error {
	if offset == 0 && mark.Epoch != m.log.Epoch {
		return &MismatchError{Partition: m.log.Partition, What: "marker", Have: "epoch " + mark.Epoch, Want: "epoch " + m.log.Epoch}
	}
	if offset == 0 && m.next == 0 {
		m.window, m.log.Window = schema.NewVoidWindow(mark.Window), mark.Window
		m.format.InForce = mark.Format
	}
	m.Advance(offset + 1)
	return nil
}

func (m *Members) join(offset int64, connector string, j *schema.Join) []Move {
	if r := m.rooms[j.Channel]; r != nil {
		if _, known := r.sessions[j.Session]; known {
			return nil
		}
	}
	m.seat(j.Channel, j.Session, seat{j.User, connector, offset})
	m.dirty[memberKey{j.Session, j.Channel}] = struct{}{}
	r := m.rooms[j.Channel]
	if r.users[j.User] > 1 {
		return nil
	}
	return []Move{{Channel: j.Channel, User: j.User, Joined: true, Info: j.Info, Users: len(r.users)}}
}

// seat makes a session a member that is not one yet.
func (m *Members) seat(channel, session string, s seat) {
	r := m.rooms[channel]
	if r == nil {
		r = &room{sessions: map[string]seat{}, users: map[string]int{}}
		m.rooms[channel] = r
	}
	r.sessions[session] = s
	r.users[s.user]++
	of := m.connectors[s.connector]
	if of == nil {
		of = map[string]int{}
		m.connectors[s.connector] = of
	}
	of[channel]++
}

// leave ends memberships of sessions, in their order; those that are none are
// left out.
func (m *Members) leave(channel string, sessions []string, reason schema.Reason) (moves []Move) {
	r := m.rooms[channel]
	if r == nil {
		return nil
	}
	for _, session := range sessions {
		s, known := r.sessions[session]
		if !known {
			continue
		}
		delete(r.sessions, session)
		m.dirty[memberKey{session, channel}] = struct{}{}
		m.release(s.connector, channel)
		if r.users[s.user]--; r.users[s.user] == 0 {
			delete(r.users, s.user)
			moves = append(moves, Move{Channel: channel, User: s.user, Reason: reason, Users: len(r.users)})
		}
	}
	if len(r.sessions) == 0 {
		delete(m.rooms, channel)
	}
	return moves
}

// release counts one session of a connector less.
func (m *Members) release(connector, channel string) {
	of := m.connectors[connector]
	if of[channel]--; of[channel] == 0 {
		delete(of, channel)
	}
	if len(of) == 0 {
		delete(m.connectors, connector)
	}
}

// down ends all memberships of a connector: by channel, then by session.
func (m *Members) down(d *schema.Down) (moves []Move) {
	for _, channel := range slices.Sorted(maps.Keys(m.connectors[d.Connector])) {
		moves = append(moves, m.leave(channel, m.sessions(channel, func(s seat) bool { return s.connector == d.Connector }), d.Reason)...)
	}
	return moves
}

// sanction ends the memberships of a user who is kicked or banned.
func (m *Members) sanction(s *schema.Sanction) []Move {
	reason := schema.Reason_REASON_KICKED
	switch s.Action {
	case schema.Sanction_ACTION_KICK:
	case schema.Sanction_ACTION_BAN:
		reason = schema.Reason_REASON_BANNED
	default:
		return nil
	}
	return m.leave(s.Channel, m.sessions(s.Channel, func(of seat) bool { return of.user == s.User }), reason)
}

// sessions are those of a channel that are meant, sorted.
func (m *Members) sessions(channel string, meant func(seat) bool) (all []string) {
	if r := m.rooms[channel]; r != nil {
		for session, s := range r.sessions {
			if meant(s) {
				all = append(all, session)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Changed reports whether a flush would write anything new.
func (m *Members) Changed() bool { return m.next > m.saved }

// Flush returns what changed since the flush before, each key once, and ends with
// the marker. Members count it as written. time is for people to read, in
// milliseconds since the Unix epoch.
//
// A crash can leave records of a flush whose marker was never written. Members
// that are restored from them are right again where that flush was, and not
// before: whoever acts on moves must know that offset from elsewhere, and act on
// none below it.
func (m *Members) Flush(time int64) ([]Record, error) {
	b := &builder{records: make([]Record, 0, len(m.dirty)+1)}
	for _, k := range slices.SortedFunc(maps.Keys(m.dirty), memberKey.compare) {
		key := schema.StateKeyMember(k.session, k.channel)
		s, known := seat{}, false
		if r := m.rooms[k.channel]; r != nil {
			s, known = r.sessions[k.session]
		}
		if !known {
			b.remove(key)
			continue
		}
		b.put(key, &schema.StateMember{Channel: k.channel, Session: k.session, User: s.user, Connector: s.connector, Offset: s.offset})
	}
	b.put(schema.StateKeyMarker, &schema.StateMarker{
		Next: m.next, Epoch: m.log.Epoch, TopicId: m.log.TopicID[:], Format: m.format.InForce, Time: time, Digest: m.digest,
	})
	if b.err != nil {
		return nil, b.err
	}
	m.dirty, m.saved = map[memberKey]struct{}{}, m.next
	return b.records, nil
}

// RestoreMembers rebuilds the Members from the newest value of each key that
// flushes have written. Without a marker they begin at offset 0. The errors
// are those of [Restore].
func RestoreMembers(log Log, c *Checkpoint) (*Members, error) {
	m := NewMembers(log)
	if value, found := c.values[schema.StateKeyMarker]; found {
		f := New(log)
		if err := f.restoreMarker(value); err != nil {
			return nil, err
		}
		m.next, m.saved, m.format, m.digest = f.next, f.saved, f.format, f.digest
	}
	for key, value := range c.values {
		session, channel, ok := schema.StateMemberOf(key)
		if !ok {
			continue
		}
		var s schema.StateMember
		if err := proto.Unmarshal(value, &s); err != nil {
			return nil, fmt.Errorf("the checkpoint of partition %d is damaged at key %q: %w", log.Partition, key, err)
		}
		m.seat(channel, session, seat{s.User, s.Connector, s.Offset})
	}
	return m, nil
}
