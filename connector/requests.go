package connector

import (
	"bytes"
	"errors"
	"time"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// handle takes one request, or the error to answer it with. It runs on the
// connection's reading goroutine, which waits here while too many requests are
// unanswered.
func (s *session) handle(r rpc.Request, bad *rpc.Error) {
	if bad != nil && s.flood.Exceeds(maxMalformed) {
		s.front.Close(rpc.CloseMisuse, "too many malformed frames")
		return
	}
	select {
	case s.unanswered <- struct{}{}:
	case <-s.inc.ctx.Done():
		return
	}
	c := &call{session: s, method: r.Method, id: bytes.Clone(r.ID)} // which must not hold on to the frame
	c.begin()
	if bad == nil {
		if retry, flooding := s.pace.request(); retry > 0 {
			s.pace.slowDown(c, retry, flooding)
			return
		}
		if c.reserve(callBytes + len(c.id)) {
			bad = c.dispatch(r)
		} else {
			bad = rpc.Unavailable(retryAfter)
		}
	}
	if bad != nil {
		c.fail(bad)
	}
}

// dispatch starts a request, as start of its method does.
func (c *call) dispatch(r rpc.Request) *rpc.Error {
	s := c.session
	method, known := requestOf(r.Method)
	if !known {
		return &rpc.Error{Code: rpc.CodeNoMethod, Message: "no such method"}
	}
	if s.user == "" && r.Method != rpc.MethodHello {
		if s.flood.Exceeds(maxMalformed) {
			s.front.Close(rpc.CloseMisuse, "too many requests before hello")
		}
		return &rpc.Error{Code: rpc.CodeUnauthenticated, Message: "say hello first"}
	}
	return method.start(c, r)
}

// request is one of the methods that clients may call.
type request struct {
	// start begins the request. An error answers it; else it is or will be
	// answered elsewhere.
	start  func(*call, rpc.Request) *rpc.Error
	traced bool
}

// requestOf is the method of that name.
func requestOf(name string) (m request, known bool) {
	switch name {
	case rpc.MethodHello:
		return request{start: (*call).hello}, true
	case rpc.MethodPing:
		return request{start: (*call).ping}, true
	case rpc.MethodJoin:
		return request{start: (*call).join, traced: true}, true
	case rpc.MethodLeave:
		return request{start: (*call).leave, traced: true}, true
	case rpc.MethodChat:
		return request{start: (*call).chat, traced: true}, true
	case rpc.MethodEdit:
		return request{start: (*call).edits, traced: true}, true
	case rpc.MethodDelete:
		return request{start: (*call).edits, traced: true}, true
	case rpc.MethodReact:
		return request{start: (*call).reacts, traced: true}, true
	case rpc.MethodPin:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodMute:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodBan:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodKick:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodLift:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodPurge:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodSet:
		return request{start: (*call).moderates, traced: true}, true
	case rpc.MethodSanctions:
		return request{start: (*call).sanctions, traced: true}, true
	case rpc.MethodSignal:
		return request{start: (*call).signal}, true
	case rpc.MethodReactions:
		return request{start: (*call).reactions, traced: true}, true
	case rpc.MethodPins:
		return request{start: (*call).pins, traced: true}, true
	case rpc.MethodHistory:
		return request{start: (*call).history, traced: true}, true
	case rpc.MethodSearch:
		return request{start: (*call).search, traced: true}, true
	case rpc.MethodMembers:
		return request{start: (*call).members, traced: true}, true
	}
	return request{}, false
}

func (c *call) ping(rpc.Request) *rpc.Error {
	c.result(rpc.Empty{})
	return nil
}

func (c *call) hello(r rpc.Request) *rpc.Error {
	s := c.session
	var p rpc.HelloParams
	if bad := rpc.Decode(r.Params, &p); bad != nil {
		return bad
	}
	if s.user != "" && s.inc.cfg.Auth != nil && p.Token == "" {
		c.result(s.greeting()) // as it is: what hello brought is not kept
		return nil
	}
	who, err := s.identify(p)
	if bad, is := err.(*rpc.Error); is {
		return bad
	}
	if err != nil {
		c.distrust(err)
		return nil
	}
	if s.user != "" && s.user != who.Name {
		return &rpc.Error{Code: rpc.CodeForbidden, Message: "this session is another user's"}
	}
	if s.user == "" {
		account, err := s.inc.edge.Enter(who.Name, time.Now())
		if err != nil {
			c.turnAway(err)
			return nil
		}
		s.mu.Lock()
		s.pace.account, s.bearer = account, ""
		s.mu.Unlock()
		s.ticket.Greeted()
	}
	s.known(who)
	if v := s.judge(time.Now()); v != nil {
		c.dismiss(v)
		return nil
	}
	s.forbid()
	c.result(s.greeting())
	return nil
}

// turnAway closes the connection of a user who has too many. One that is to try
// later gets no answer to hello: an error there says that nothing will change.
func (c *call) turnAway(why error) {
	s := c.session
	s.inc.metrics.limited.Add(1, "user_connections")
	refusal := &rpc.Error{Code: rpc.CodeForbidden, Message: why.Error(), Data: &rpc.ErrorData{Limit: s.inc.cfg.Edge.UserConnections}}
	if errors.Is(why, admission.ErrAsked) {
		s.front.Close(rpc.CloseTryLater, why.Error())
		c.fail(refusal)
		return
	}
	c.fail(refusal)
	s.front.Close(rpc.CloseConnections, why.Error())
}

func (c *call) join(r rpc.Request) *rpc.Error {
	s := c.session
	var p rpc.JoinParams
	if bad := rpc.Decode(r.Params, &p); bad != nil {
		return bad
	}
	limit, bad := limitOf(p.Limit, 0, maxLimit, defaultLimit)
	if bad == nil {
		bad = params.CheckName("channel", p.Channel)
	}
	if bad != nil {
		return bad
	}
	if p.Since != nil {
		if *p.Since < 0 {
			return rpc.InvalidParams("since", "must be 0 or more")
		}
		if p.Epoch == "" {
			return rpc.InvalidParams("epoch", "must come with since")
		}
	}
	if bad := c.mayJoin(&p); bad != nil {
		return bad
	}
	j := &joinCall{call: c, user: s.user, limit: limit, since: p.Since, epoch: p.Epoch}
	if j.recent = s.allowed(grants.History, p.Channel) != nil; j.recent {
		j.limit = 0
	}
	s.join(p.Channel, j)
	return nil
}

func (c *call) leave(r rpc.Request) *rpc.Error {
	s := c.session
	var p rpc.LeaveParams
	if bad := rpc.Decode(r.Params, &p); bad != nil {
		return bad
	}
	if bad := params.CheckName("channel", p.Channel); bad != nil {
		return bad
	}
	if bad := s.allowed(grants.Join, p.Channel); bad != nil {
		return bad
	}
	s.leaveChannel(p.Channel, c)
	return nil
}

func (c *call) history(r rpc.Request) *rpc.Error {
	s := c.session
	var q historyParams
	if bad := rpc.Decode(r.Params, &q); bad != nil {
		return bad
	}
	h := &historyCall{user: s.user, epoch: q.Epoch}
	if q.Epoch == s.inc.log.Epoch {
		h.epoch = ""
	}
	var bad *rpc.Error
	if h.limit, bad = limitOf(q.Limit, 1, maxLimit, defaultLimit); bad == nil {
		bad = params.CheckName("channel", q.Channel)
	}
	if bad == nil {
		bad = h.position(&q.HistoryParams)
	}
	if bad == nil {
		bad = h.few(&q, s.inc.format(q.Channel))
	}
	if bad != nil {
		return bad
	}
	p, bad := s.placeFor(grants.History, q.Channel)
	if bad != nil {
		return bad
	}
	h.readCall = c.reads(p)
	p.afterJoin(h)
	return nil
}

// historyParams distinguish nobody from anybody.
type historyParams struct {
	rpc.HistoryParams
	User *string `json:"user"`
}

// few takes which of the messages alone are asked for, in a log of a format.
func (h *historyCall) few(q *historyParams, format int32) *rpc.Error {
	field := "reply"
	if q.Reply == nil {
		field = "user"
	}
	switch {
	case q.Reply == nil && q.User == nil:
		return nil
	case format < 2:
		return params.NotYet(field)
	case h.mode == history.Around:
		return rpc.InvalidParams(field, "must not come with around")
	}
	if q.Reply != nil {
		if h.answers = *q.Reply; h.answers < 1 || h.answers > params.MaxSeq {
			return rpc.InvalidParams("reply", "must be the seq of a message")
		}
	}
	if h.author = params.Text(q.User); q.User != nil {
		return params.CheckName("user", h.author)
	}
	return nil
}

// position takes the one of before, after and around that is there.
func (h *historyCall) position(q *rpc.HistoryParams) *rpc.Error {
	h.mode = history.Newest
	for _, at := range []struct {
		field string
		seq   *int64
		mode  history.Mode
	}{{"before", q.Before, history.Before}, {"after", q.After, history.After}, {"around", q.Around, history.Around}} {
		switch {
		case at.seq == nil:
		case h.mode != history.Newest:
			return rpc.InvalidParams(at.field, "must not come with another of before, after and around")
		case *at.seq < 0:
			return rpc.InvalidParams(at.field, "must be 0 or more")
		default:
			h.mode, h.seq = at.mode, *at.seq
		}
	}
	return nil
}

func (c *call) members(r rpc.Request) *rpc.Error {
	s := c.session
	var q rpc.MembersParams
	if bad := rpc.Decode(r.Params, &q); bad != nil {
		return bad
	}
	limit, bad := limitOf(q.Limit, 1, maxMembers, defaultMembers)
	if bad == nil {
		bad = params.CheckName("channel", q.Channel)
	}
	if bad == nil && q.After != "" {
		bad = params.CheckName("after", q.After)
	}
	if bad != nil {
		return bad
	}
	p, bad := s.placeFor(grants.Join, q.Channel)
	if bad != nil {
		return bad
	}
	p.afterJoin(&membersCall{call: c, after: q.After, limit: limit})
	return nil
}

func limitOf(given *int, least, most, otherwise int) (int, *rpc.Error) {
	switch {
	case given == nil:
		return otherwise, nil
	case *given < least || *given > most:
		return 0, rpc.InvalidParams("limit", "is out of range")
	}
	return *given, nil
}
