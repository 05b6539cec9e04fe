package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/checker"
	"github.com/parley-chat/parley/tests/client"
)

// session is one connection whose every answer and push is recorded, in the
// order of their arrival.
type session struct {
	c      *client.Client
	rec    *recorder
	base   checker.Entry // what every entry has
	closed bool          // by us, with a close frame
	plain  bool          // the client knows nothing of format 2
	over   sync.Once

	mu      sync.Mutex
	at      map[string]place
	recent  map[string][]shown // the newest messages, by channel
	inDoubt []act              // sent, answer unknown
	out     map[string]bool    // of channels, by a kick or a ban
	code    int                // of the newest answer to an act
	greeted bool               // the session has a name
	limits  rpc.Limits         // of the server
}

// openSession connects to a connector and sends hello.
func openSession(ctx context.Context, rec *recorder, hello rpc.HelloParams, base checker.Entry, addr string) (*session, error) {
	s := &session{rec: rec, base: base, at: map[string]place{}, recent: map[string][]shown{}, out: map[string]bool{}}
	var err error
	if s.c, err = client.DialObserved(ctx, "ws://"+addr+"/ws", nil, s.pushed); err != nil {
		return nil, err
	}
	began := rec.now()
	if !s.call(ctx, rpc.MethodHello, hello, func(result json.RawMessage, err error) {
		var h rpc.HelloResult
		if err == nil && json.Unmarshal(result, &h) == nil {
			s.mu.Lock()
			s.base.Session, s.greeted, s.limits = h.Session, true, h.Limits
			s.mu.Unlock()
			s.record(checker.Entry{Began: began, Op: checker.OpHello, Outcome: checker.OK, Connector: h.Connector, Moderates: hello.Token != "" && isModerator(base.User)})
		}
	}) || !s.named() {
		s.cut()
		return nil, errors.New("no hello")
	}
	return s, nil
}

func (s *session) named() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.greeted
}

// record adds what every entry of the session says.
func (s *session) record(e checker.Entry) {
	e.Session, e.User, e.Device, e.Server = s.base.Session, s.base.User, s.base.Device, s.base.Server
	s.rec.add(e)
}

// call sends a request and waits until take has had its answer, an error or
// not. It is false when there was none in time, and the connection is then
// cut.
func (s *session) call(ctx context.Context, method string, params any, take func(json.RawMessage, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	answered := make(chan error, 1)
	err := s.c.Go(method, params, func(result json.RawMessage, err error) {
		take(result, err)
		answered <- err
	})
	if err != nil {
		take(nil, err)
		return false
	}
	select {
	case err := <-answered:
		var refused *rpc.Error
		return err == nil || errors.As(err, &refused)
	case <-ctx.Done():
		s.cut() // which answers what is not answered
		return false
	}
}

// outcomeOf is what is known of an operation that ended with err.
func outcomeOf(err error) checker.Outcome {
	var refused *rpc.Error
	switch {
	case err == nil:
		return checker.OK
	case errors.As(err, &refused) && refused.Code != rpc.CodeUnavailable && refused.Code != rpc.CodeInternal:
		return checker.Failed
	}
	return checker.Unknown
}

func codeOf(err error) int {
	var refused *rpc.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return 0
}

// note completes an entry with an answer and records it.
func (s *session) note(e checker.Entry, result json.RawMessage, err error, into any) {
	if err == nil {
		err = json.Unmarshal(result, into)
	}
	e.Outcome, e.Code = outcomeOf(err), codeOf(err)
	s.record(e)
}

// reach remembers how far the session has seen a channel. epoch is "" for the
// one of its join.
func (s *session) reach(channel, epoch string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at[channel]
	if epoch != "" {
		at.epoch = epoch
	}
	at.seq = seq
	s.at[channel] = at
}

func (s *session) places() map[string]place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.at)
}

// takeUnknown takes the acts whose fate is unknown.
func (s *session) takeUnknown() []act {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.inDoubt
	s.inDoubt = nil
	return all
}

// pushed records a push. It runs on the connection's reading goroutine.
func (s *session) pushed(push client.Push) {
	e := checker.Entry{Channel: push.Channel(), Seq: push.Seq()}
	switch push.Method {
	case rpc.PushChat:
		m := push.Chat()
		e.Op, e.Message = checker.PushChat, &m
		s.see(e.Channel, m.Message)
	case rpc.PushChanged:
		e.Op, e.Changed = checker.PushChanged, new(rpc.ChangedPush)
		_ = json.Unmarshal(push.Params, e.Changed)
	case rpc.PushReacted:
		e.Op, e.Reacted = checker.PushReacted, new(rpc.ReactedPush)
		_ = json.Unmarshal(push.Params, e.Reacted)
	case rpc.PushSettings:
		e.Op, e.Settings = checker.PushSettings, new(rpc.SettingsPush)
		_ = json.Unmarshal(push.Params, e.Settings)
	case rpc.PushSanctioned:
		e.Op, e.Sanctioned = checker.PushSanctioned, new(rpc.SanctionedPush)
		_ = json.Unmarshal(push.Params, e.Sanctioned)
	case rpc.PushRemoved:
		e.Op, e.Removed = checker.PushRemoved, new(rpc.RemovedPush)
		_ = json.Unmarshal(push.Params, e.Removed)
		s.setOut(e.Channel, true)
	case rpc.PushJoined, rpc.PushLeft:
		var l rpc.LeftPush // a joined push is one without a reason
		if json.Unmarshal(push.Params, &l) != nil {
			return
		}
		e.Who, e.Reason, e.Op = l.User, l.Reason, checker.PushJoined
		if push.Method == rpc.PushLeft {
			e.Op = checker.PushLeft
		}
	default:
		return
	}
	s.record(e)
	s.reach(e.Channel, "", e.Seq)
}

// join is false where it is unknown whether the session is a member. One that a ban
// refuses is not.
func (s *session) join(ctx context.Context, params rpc.JoinParams) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpJoin, Channel: params.Channel, Join: &params}
	joined := false
	return s.call(ctx, rpc.MethodJoin, params, func(result json.RawMessage, err error) {
		r := new(rpc.JoinResult)
		if joined = err == nil && json.Unmarshal(result, r) == nil; joined {
			s.complete(r)
			s.setOut(params.Channel, false)
			e.Joined, e.Seq = r, r.Seq
			s.see(params.Channel, r.Messages...)
			s.reach(params.Channel, r.Epoch, max(r.Seq, s.places()[params.Channel].seq))
		}
		if sanctioned(err) {
			s.setOut(params.Channel, true)
		}
		s.note(e, result, err, new(rpc.JoinResult))
	}) && (joined || s.isOut(params.Channel))
}

func (s *session) leave(ctx context.Context, channel string) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpLeave, Channel: channel}
	left := false
	return s.call(ctx, rpc.MethodLeave, rpc.LeaveParams{Channel: channel}, func(result json.RawMessage, err error) {
		left = err == nil
		s.note(e, result, err, new(rpc.Empty))
	}) && left
}

func (s *session) history(ctx context.Context, params rpc.HistoryParams) bool {
	_, answered := s.page(ctx, params)
	return answered
}

// page asks for a page of history; nil where it was refused. It is false when there
// was no answer.
func (s *session) page(ctx context.Context, params rpc.HistoryParams) (page *rpc.HistoryResult, answered bool) {
	if s.older() {
		params.User = ""
	}
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpHistory, Channel: params.Channel, History: &params}
	answered = s.call(ctx, rpc.MethodHistory, params, func(result json.RawMessage, err error) {
		e.Page = new(rpc.HistoryResult)
		if err == nil {
			err = json.Unmarshal(result, e.Page)
		}
		s.completePage(params, e.Page)
		e.Outcome, e.Code = outcomeOf(err), codeOf(err)
		if s.record(e); err == nil {
			page = e.Page
		}
	})
	return page, answered
}

func (s *session) members(ctx context.Context, channel string) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpMembers, Channel: channel}
	return s.call(ctx, rpc.MethodMembers, rpc.MembersParams{Channel: channel}, func(result json.RawMessage, err error) {
		e.Members = new(rpc.MembersResult)
		s.note(e, result, err, e.Members)
	})
}

func (s *session) alive() bool { return s.c.Err() == nil }

// done is closed when the connection has ended.
func (s *session) done() <-chan struct{} { return s.c.Done() }

// close ends the connection with a close frame.
func (s *session) close() {
	s.closed = true
	s.end(func() { s.c.Close(websocket.CloseNormalClosure) })
}

// cut ends the connection without a close frame.
func (s *session) cut() { s.end(s.c.Cut) }

// end ends the connection and records how it ended.
func (s *session) end(how func()) {
	s.over.Do(func() {
		ours := s.alive()
		how()
		var closed *websocket.CloseError
		e := checker.Entry{Op: checker.End, Clean: s.closed && ours, Code: websocket.CloseAbnormalClosure}
		if errors.As(s.c.Err(), &closed) {
			e.Code = closed.Code
		}
		if !ours {
			s.rec.end(e.Code)
		}
		if s.named() {
			s.record(e)
		}
	})
}
