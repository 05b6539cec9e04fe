// Package room holds a channel as one connector knows it: its state at one
// position of the log, and which of its members get which bytes. It knows
// neither sessions nor what carries them, and nothing in it waits.
//
// Read channel.go first, then fan.go (how messages spread), backlog.go (how
// history and live meet) and ring.go (the newest messages).
package room

import (
	"cmp"
	"slices"
	"sync"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Options are what the channels of a connector have in common.
type Options struct {
	Window   int64       // of void chats, in offsets
	Entries  int         // the most messages that a ring holds
	Presence int         // users above which only their number is pushed
	Backlogs *quota.Pool // bytes of all channels' backlogs; nil: no bound
	// FirstEpoch reports whether history is known to have no earlier epoch, without
	// I/O; nil: it is not known.
	FirstEpoch func() bool
}

// Channel is a channel with local members: from the push that subscribes the
// connector to the one that unsubscribes it. Its lock is held while any of its
// methods runs.
type Channel struct {
	sync.Mutex
	name    string
	options Options

	replica  replica
	ring     ring
	changes  changeRing
	targets  targets // older than the ring
	reacting reacting
	fans     []*fan      // one for each dialect
	waiting  []*waiter   // for the position
	crowded  bool        // somebody came or went since the last presence push
	current  rpc.Message // the one that is being spread; here it costs no allocation
}

// New returns a channel that nothing was applied to yet.
func New(name string, o Options) *Channel {
	c := &Channel{name: name, options: o}
	c.replica.window, c.ring.maxEntries = o.Window, o.Entries
	return c
}

// Name is the channel's name.
func (c *Channel) Name() string { return c.name }

// waiter is closed when the channel's position has reached seq.
type waiter struct {
	seq  int64
	done chan struct{}
}

// Apply applies an update of the channel, in the order of the pushes. Members
// get what it brings with the next Flush. The error is a [schema.NewerError].
func (c *Channel) Apply(p *schema.Push, u *schema.Update) error {
	if c.reacting.late(p.Offset) {
		c.tellReactions()
	}
	switch k := u.Kind.(type) {
	case *schema.Update_Snapshot:
		c.replica.snapshot(k.Snapshot)
		return nil
	case *schema.Update_Message:
		c.message(p, k.Message)
	case *schema.Update_VoidChat:
		c.replica.void(p.Offset)
	case *schema.Update_Joined:
		c.joined(p, k.Joined)
	case *schema.Update_Left:
		c.left(p, k.Left)
	case *schema.Update_Departed:
		c.departed(p, k.Departed)
	default:
		if err := c.act(p, u); err != nil {
			return err
		}
	}
	c.reach(p.Offset)
	return nil
}

func (c *Channel) message(p *schema.Push, of *schema.Message) {
	m := &c.current
	*m = rpc.Message{Channel: c.name, Seq: p.Offset, ID: of.Id, User: of.User, To: of.To, Body: of.Body, Time: p.Time, Trace: of.Trace}
	m.Info, m.Type, m.Data, m.Reply, m.Mentions, m.Key = of.Info, of.Type, of.Data, of.Reply, of.Mentions, of.Key
	if of.Origin == schema.Origin_ORIGIN_BACKEND {
		m.Origin = rpc.OriginBackend
	}
	json := rpc.AppendMessage(nil, m)
	c.ring.add(entry{seq: p.Offset, time: p.Time, user: m.User, to: m.To, id: clientID(m), json: json})
	for _, f := range c.fans {
		push := func(b []byte) []byte { return f.dialect.AppendChat(b, m, json, of.Prev) }
		if m.To == "" {
			f.lay(true, push)
		} else {
			f.whisper(delivery{message: true, user: m.User, to: m.To, id: m.ID}, push)
		}
	}
	if m.To == "" {
		c.replica.last = p.Offset
	}
	*m = rpc.Message{}
}

func (c *Channel) joined(p *schema.Push, j *schema.Joined) {
	c.replica.last, c.replica.clast = j.Last, j.Clast
	if j.Banned == nil {
		// One who was banned when they came first is shown from the join on that they
		// may.
		if c.replica.add(j.User) || j.First {
			c.notice(rpc.PushJoined, rpc.JoinedPush{Channel: c.name, Seq: p.Offset, User: j.User, Info: j.Info, Time: p.Time})
		}
		c.replica.inform(j.User, j.Info)
		// Without one, that of another session's join stays: the clock of the connector
		// that wrote this one may be wrong, and what is lifted comes as such.
		if j.Mute != nil {
			c.replica.mute(j.User, j.Mute)
		}
	}
	if j.Subscribed {
		c.begin(p.Offset)
	}
}

func (c *Channel) left(p *schema.Push, l *schema.Left) {
	if l.Gone {
		c.gone(p, l.User, l.Reason)
	}
	if l.Unsubscribed {
		c.abandon()
	}
}

func (c *Channel) departed(p *schema.Push, d *schema.Departed) {
	for _, user := range d.Users {
		c.gone(p, user, d.Reason)
	}
}

func (c *Channel) gone(p *schema.Push, user string, why schema.Reason) {
	if !c.replica.remove(user) {
		return // a banned one, who was not shown
	}
	c.notice(rpc.PushLeft, rpc.LeftPush{Channel: c.name, Seq: p.Offset, User: user, Time: p.Time, Reason: reasonOf(why)})
}

func reasonOf(r schema.Reason) string { return cmp.Or(r.Name(), rpc.LeftDisconnect) }

// notice publishes that somebody came or went; in a crowd only that somebody
// did is noted, for Presence.
func (c *Channel) notice(method string, params any) {
	if len(c.replica.users) > c.options.Presence {
		c.crowded = true
		return
	}
	c.push(method, params)
}

func (c *Channel) push(method string, params any) {
	for _, f := range c.fans {
		f.lay(false, func(b []byte) []byte { return f.dialect.AppendPush(b, method, params) })
	}
}

// Presence sends the members of a crowd how many they are, if somebody came or
// went since the last time.
func (c *Channel) Presence() {
	if !c.crowded {
		return
	}
	c.crowded = false
	c.push(rpc.PushPresence, rpc.PresencePush{Channel: c.name, Seq: c.replica.position, Count: len(c.replica.users)})
	for _, f := range c.fans {
		f.flush()
	}
}

// Flush sends every member what was applied since the last time. It returns how
// many messages were handed to outlets meanwhile.
func (c *Channel) Flush() (delivered int) {
	for _, f := range c.fans {
		f.flush()
		delivered += f.delivered
		f.delivered = 0
	}
	return delivered
}

// Cut reports whether so much was applied that members were sent a part of it
// before a Flush, since the last time that it was asked.
func (c *Channel) Cut() (cut bool) {
	for _, f := range c.fans {
		cut, f.cut = cut || f.cut, false
	}
	return cut
}

// Attach makes m a member at the channel's position. Its pushes wait until
// GoLive.
func (c *Channel) Attach(m *Member) { c.fan(m.Dialect).attach(m) }

func (c *Channel) fan(d Dialect) *fan {
	for _, f := range c.fans {
		if f.dialect == d {
			return f
		}
	}
	f := &fan{dialect: d, backlogs: c.options.Backlogs}
	c.fans = append(c.fans, f)
	return f
}

// GoLive has m sent what happened since Attach, and from now on what happens as
// it comes. The result of its join was sent before. It returns how many messages
// were handed to the outlet. For one that was detached meanwhile it is the end.
func (c *Channel) GoLive(m *Member) (messages int) { return m.fan.goLive(m) }

// Detach ends m's membership: what happens from now on is not for it. One that is
// not a member is left alone.
func (c *Channel) Detach(m *Member) {
	if m.stage != outside {
		m.fan.detach(m)
	}
}

// Expel ends m's membership as Detach does, unless that was done, and what waits for
// GoLive is not for it either.
func (c *Channel) Expel(m *Member) {
	if m.fan != nil {
		m.fan.expel(m)
	}
}

// Members is how many sessions are members.
func (c *Channel) Members() (n int) {
	for _, f := range c.fans {
		n += len(f.members)
	}
	return n
}

// SessionsOf is how many sessions of a user are members.
func (c *Channel) SessionsOf(user string) (n int) {
	for _, f := range c.fans {
		for _, m := range f.members {
			if m.User == user && !m.Leaving.Load() {
				n++
			}
		}
	}
	return n
}

// IsLast reports whether all members but m are leaving.
func (c *Channel) IsLast(m *Member) bool {
	for _, f := range c.fans {
		if slices.ContainsFunc(f.members, func(o *Member) bool { return o != m && !o.Leaving.Load() }) {
			return false
		}
	}
	return true
}

// reach moves the position on and wakes who waits for it.
func (c *Channel) reach(offset int64) {
	c.replica.advance(offset)
	kept := c.waiting[:0]
	for _, w := range c.waiting {
		if w.seq <= offset {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(c.waiting[len(kept):])
	c.waiting = kept
}

// abandon wakes everyone who waits: the connector has no member any more.
func (c *Channel) abandon() {
	for _, w := range c.waiting {
		close(w.done)
	}
	c.waiting = nil
}

// Reached returns what is closed once the position is at seq, or the connector
// has no member any more.
func (c *Channel) Reached(seq int64) <-chan struct{} {
	w := &waiter{seq, make(chan struct{})}
	if c.replica.position >= seq {
		close(w.done)
	} else {
		c.waiting = append(c.waiting, w)
	}
	return w.done
}

// StopWaiting forgets one who waits for what Reached returned.
func (c *Channel) StopWaiting(reached <-chan struct{}) {
	c.waiting = slices.DeleteFunc(c.waiting, func(w *waiter) bool { return w.done == reached })
}
