package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/checker"
)

// act is what a client asks for under an id of its own: a message or a change. Its
// entry has the operation, the channel and the params.
type act struct {
	method string
	entry  checker.Entry
}

func chatAct(p rpc.ChatParams) act {
	return act{rpc.MethodChat, checker.Entry{Op: checker.OpChat, Channel: p.Channel, Chat: &p}}
}

func editAct(p rpc.EditParams) act {
	return act{rpc.MethodEdit, checker.Entry{Op: checker.OpEdit, Channel: p.Channel, Edit: &p}}
}

func deleteAct(p rpc.DeleteParams) act {
	return act{rpc.MethodDelete, checker.Entry{Op: checker.OpDelete, Channel: p.Channel, Delete: &p}}
}

func reactAct(p rpc.ReactParams) act {
	return act{rpc.MethodReact, checker.Entry{Op: checker.OpReact, Channel: p.Channel, React: &p}}
}

func pinAct(p rpc.PinParams) act {
	return act{rpc.MethodPin, checker.Entry{Op: checker.OpPin, Channel: p.Channel, Pin: &p}}
}

func (a *act) params() any {
	switch e := &a.entry; e.Op {
	case checker.OpEdit:
		return e.Edit
	case checker.OpDelete:
		return e.Delete
	case checker.OpReact:
		return e.React
	case checker.OpPin:
		return e.Pin
	case checker.OpMute, checker.OpBan:
		return e.Sanction
	case checker.OpKick:
		return e.Kick
	case checker.OpLift:
		return e.Lift
	case checker.OpRequested:
		return e.Requested
	case checker.OpSet:
		return e.Set
	}
	return a.entry.Chat
}

// again is the act as one that was sent before.
func (a act) again() act {
	switch e := &a.entry; e.Op {
	case checker.OpEdit:
		e.Edit = new(*e.Edit)
		e.Edit.Retry = true
	case checker.OpDelete:
		e.Delete = new(*e.Delete)
		e.Delete.Retry = true
	case checker.OpReact:
		e.React = new(*e.React)
		e.React.Retry = true
	case checker.OpPin:
		e.Pin = new(*e.Pin)
		e.Pin.Retry = true
	case checker.OpMute, checker.OpBan:
		e.Sanction = new(*e.Sanction)
		e.Sanction.Retry = true
	case checker.OpKick:
		e.Kick = new(*e.Kick)
		e.Kick.Retry = true
	case checker.OpLift:
		e.Lift = new(*e.Lift)
		e.Lift.Retry = true
	case checker.OpRequested:
		e.Requested = new(*e.Requested)
		e.Requested.Retry = true
	case checker.OpSet:
		e.Set = new(*e.Set)
		e.Set.Retry = true
	default:
		e.Chat = new(*e.Chat)
		e.Chat.Retry = true
	}
	return a
}

// do asks for an act and waits for the answer.
func (s *session) do(ctx context.Context, a act) bool {
	if s.plain || s.older() {
		a = a.plain()
	}
	began := s.rec.now()
	return s.call(ctx, a.method, a.params(), func(result json.RawMessage, err error) { s.took(a, began, result, err) })
}

// send asks for an act and does not wait.
func (s *session) send(a act) bool {
	if s.plain || s.older() {
		a = a.plain()
	}
	began := s.rec.now()
	err := s.c.Go(a.method, a.params(), func(result json.RawMessage, err error) { s.took(a, began, result, err) })
	if err != nil {
		s.took(a, began, nil, err)
	}
	return err == nil
}

// took records an act's answer.
func (s *session) took(a act, began time.Duration, result json.RawMessage, err error) {
	e := a.entry
	var r struct {
		rpc.ActResult
		Repeat bool
	}
	if err == nil {
		err = json.Unmarshal(result, &r)
	}
	e.Began, e.Seq, e.Unchanged, e.Repeat, e.Outcome, e.Code = began, r.Seq, r.Unchanged, r.Repeat, outcomeOf(err), codeOf(err)
	s.record(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code = e.Code; e.Outcome == checker.Unknown {
		s.inDoubt = append(s.inDoubt, a)
	}
}

// shown is a message that a session was shown.
type shown struct {
	seq      int64
	user, to string
}

// see remembers the newest messages of a channel, for changes of them.
func (s *session) see(channel string, messages ...rpc.Message) {
	const newest = 20
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.recent[channel] = append(s.recent[channel], shown{m.Seq, m.User, m.To})
	}
	s.recent[channel] = s.recent[channel][max(0, len(s.recent[channel])-newest):]
}

// anyShown is one of the newest messages of a channel; false for none.
func (p *person) anyShown(s *session, channel string) (shown, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.recent[channel]
	if len(seen) == 0 {
		return shown{}, false
	}
	return seen[p.rng.IntN(len(seen))], true
}

var reactionNames = []string{"👍", "❤️", "eyes"}

// change is a change of one of the newest messages; false where there is none.
func (p *person) change(s *session, channel string) (act, bool) {
	m, found := p.anyShown(s, channel)
	if !found || p.plain {
		return act{}, false
	}
	id := ulid.Make().String()
	switch n := p.rng.IntN(100); {
	case n < 30:
		q := rpc.EditParams{Channel: channel, Seq: m.seq, ID: id, Body: "corrected " + id}
		if m.to != "" {
			q.Body = secret + id
		}
		switch p.rng.IntN(4) {
		case 0:
			q.Type, q.Data = new(rpc.TypeText), json.RawMessage("null")
		case 1:
			q.Type, q.Data = new("poll"), json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))
		}
		return editAct(q), true
	case n < 38:
		return deleteAct(rpc.DeleteParams{Channel: channel, Seq: m.seq, ID: id, Reason: "off topic"}), true
	case n < 95:
		return reactAct(rpc.ReactParams{Channel: channel, Seq: m.seq, ID: id, Name: reactionNames[p.rng.IntN(len(reactionNames))], Remove: p.rng.IntN(3) == 0}), true
	}
	return pinAct(rpc.PinParams{Channel: channel, Seq: m.seq, ID: id, Remove: p.rng.IntN(3) == 0}), true
}

// answers asks who reacts to a message, or what is pinned.
func (p *person) answers(ctx context.Context, s *session, channel string) bool {
	if m, found := p.anyShown(s, channel); found && p.rng.IntN(2) == 0 {
		return s.reactions(ctx, rpc.ReactionsParams{Channel: channel, Seq: m.seq})
	}
	return s.pins(ctx, channel)
}

// lookBack reads all of each channel: the newest messages from memory, then every
// message and every change from the beginning on.
func (p *person) lookBack(ctx context.Context, s *session) bool {
	const limit, most = 300, 100
	for channel := range p.wants {
		if !s.join(ctx, rpc.JoinParams{Channel: channel, Limit: new(limit)}) || !s.pins(ctx, channel) {
			return false
		}
		for after, n := int64(0), 0; n < most; n++ {
			page, answered := s.page(ctx, rpc.HistoryParams{Channel: channel, After: new(after), Limit: new(limit)})
			if !answered {
				return false
			}
			if page == nil || !page.More || page.Seq <= after {
				break
			}
			after = page.Seq
		}
	}
	return true
}

func (s *session) reactions(ctx context.Context, params rpc.ReactionsParams) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpReactions, Channel: params.Channel, Reactions: &params}
	return s.call(ctx, rpc.MethodReactions, params, func(result json.RawMessage, err error) {
		e.Reactors = new(rpc.ReactionsResult)
		s.note(e, result, err, e.Reactors)
	})
}

func (s *session) pins(ctx context.Context, channel string) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpPins, Channel: channel}
	return s.call(ctx, rpc.MethodPins, rpc.PinsParams{Channel: channel}, func(result json.RawMessage, err error) {
		e.Pins = new(rpc.PinsResult)
		s.note(e, result, err, e.Pins)
	})
}
