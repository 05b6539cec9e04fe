package connector

import (
	"context"
	"sync"
	"time"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// backends carries out what backends ask for: it is an api.Host.
type backends struct{ *Connector }

// Ready reports whether an incarnation lives that takes requests.
func (b backends) Ready() bool {
	inc := b.current.Load()
	return inc != nil && !inc.draining.Load()
}

// Begin begins a request.
func (b backends) Begin(ctx context.Context, by *api.Caller, r rpc.Request, answer api.Answer) {
	inc := b.current.Load()
	method, known := backendMethods[r.Method]
	answer = b.metrics.counted(r.Method, known, answer)
	switch {
	case inc == nil:
		answer(nil, rpc.Unavailable(retryAfter))
	case !known:
		answer(nil, &errNoMethod)
	default:
		method(&ask{inc: inc, ctx: ctx, by: by, Request: r, answer: answer, turns: b.turns})
	}
}

// ask is one request of a backend.
type ask struct {
	rpc.Request
	inc    *incarnation
	ctx    context.Context // ends when nobody waits for the answer any more
	by     *api.Caller
	answer api.Answer
	turns  chan struct{} // of the connector
}

func (a *ask) fail(bad *rpc.Error) { a.answer(nil, bad) }

func (a *ask) result(result any) {
	a.answer(func(b []byte) []byte { return rpc.AppendJSON(b, result) }, nil)
}

// backendMethods are all there are, and what begins one.
var backendMethods = map[string]func(*ask){
	rpc.MethodPublish:   (*ask).publish,
	rpc.MethodBroadcast: (*ask).broadcast,
	rpc.MethodEdit:      (*ask).onBehalf,
	rpc.MethodDelete:    (*ask).onBehalf,
	rpc.MethodReact:     (*ask).onBehalf,
	rpc.MethodPin:       (*ask).asKey,
	rpc.MethodMute:      (*ask).asKey,
	rpc.MethodBan:       (*ask).asKey,
	rpc.MethodKick:      (*ask).asKey,
	rpc.MethodLift:      (*ask).asKey,
	rpc.MethodPurge:     (*ask).asKey,
	rpc.MethodSet:       (*ask).asKey,
	rpc.MethodSanctions: (*ask).asKey,
	rpc.MethodMembers:   (*ask).asKey,
	rpc.MethodHistory:   (*ask).reads,
	rpc.MethodSearch:    (*ask).reads,
	rpc.MethodReactions: (*ask).reads,

	rpc.MethodChannels:   (*ask).channels,
	rpc.MethodInfo:       (*ask).info,
	rpc.MethodDisconnect: (*ask).disconnect,
	rpc.MethodRevoke:     (*ask).revoke,
	rpc.MethodBar:        (*ask).bar,
	rpc.MethodGrant:      (*ask).grant,
}

// backend is who a session acts for that carries one request of the API.
type backend struct {
	key    string
	may    *grants.Matcher
	audits bool // it sees private messages of all users
}

// allowed is what a user may do, as an action of backends.
func (b *backend) allowed(a grants.Action, channel string) *rpc.Error {
	switch {
	case a == grants.Moderate:
	case b.audits:
		a = grants.Audit
	default:
		a = grants.API
	}
	return mayBackend(b.may, a, channel)
}

func mayBackend(may *grants.Matcher, a grants.Action, channel string) *rpc.Error {
	if may.Allows(a, channel, time.Now()) {
		return nil
	}
	return rpc.KeyForbidden(a.String(), channel)
}

// audits reports whether the session sees private messages of all users.
func (s *session) audits() bool { return s.backend != nil && s.backend.audits }

// reads is who reads of history count for: the user, or the key, marked so that no user
// has the same name.
func (s *session) reads() string {
	if s.backend != nil {
		return "\x00" + s.backend.key
	}
	return s.user
}

// onBehalf carries out what a backend does on behalf of a user.
func (a *ask) onBehalf() {
	var p struct {
		User string `json:"user"`
	}
	bad := rpc.Decode(a.Params, &p)
	if bad == nil {
		bad = params.CheckNewName("user", p.User)
	}
	if bad != nil {
		a.fail(bad)
		return
	}
	a.carry(p.User, false)
}

// asKey carries out what a backend does in its own name.
func (a *ask) asKey() { a.carry("", false) }

// reads reads the past, as a user sees it or all of it.
func (a *ask) reads() {
	var p struct {
		As *string `json:"as"`
	}
	bad := rpc.Decode(a.Params, &p)
	if bad == nil && p.As != nil {
		bad = params.CheckName("as", *p.As)
	}
	if bad != nil {
		a.fail(bad)
		return
	}
	a.carry(params.Text(p.As), p.As == nil)
}

// watchTime is for how long the turn and the channel of a request are waited for.
const watchTime = 5 * time.Second

// carry has a session of its own carry the request, as if its user were in the channel,
// and waits for the answer.
func (a *ask) carry(user string, audits bool) {
	inc := a.inc
	wait, cancel := context.WithTimeout(a.ctx, watchTime)
	defer cancel()
	if !a.turn(wait) {
		return
	}
	defer a.over()
	f := &oneShot{over: inc.ctx, done: make(chan struct{})}
	s := &session{
		inc: inc, front: f, user: user, unanswered: make(chan struct{}, 1), places: map[string]*place{},
		backend: &backend{key: a.by.Key, may: a.by.May, audits: audits},
	}
	s.unanswered <- struct{}{}
	c := &call{session: s, method: a.Method, id: []byte("1"), quiet: true}
	c.begin()
	bad, release := a.enter(wait, s)
	if bad == nil {
		method, _ := requestOf(a.Method)
		bad = method.start(c, a.Request)
	}
	if bad != nil {
		c.fail(bad)
	}
	select {
	case <-f.done:
		a.answer(f.write, f.bad)
	case <-inc.ctx.Done():
		a.fail(rpc.Unavailable(retryAfter))
	}
	release()
}

// turn waits for the request's turn among those that wait, first among those of its
// key, until over is called; false: it is answered.
func (a *ask) turn(ctx context.Context) bool {
	if a.by.Turns == nil || take(ctx, a.by.Turns) {
		if take(ctx, a.turns) {
			return true
		}
		a.leaveOwn()
	}
	a.fail(rpc.Unavailable(retryAfter))
	return false
}

func take(ctx context.Context, turns chan struct{}) bool {
	select {
	case turns <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *ask) over() {
	<-a.turns
	a.leaveOwn()
}

func (a *ask) leaveOwn() {
	if a.by.Turns != nil {
		<-a.by.Turns
	}
}

// enter gives the session a place in the request's channel, which the incarnation then
// watches until release is called. Without the right to it, and where the channel's
// name is wrong, it has none: the request is refused for that.
func (a *ask) enter(ctx context.Context, s *session) (bad *rpc.Error, release func()) {
	release = func() {}
	var p struct {
		Channel string `json:"channel"`
		Min     int64  `json:"min"`
	}
	if bad := rpc.Decode(a.Params, &p); bad != nil {
		return bad, release
	}
	if p.Min < 0 || p.Min > params.MaxSeq {
		return rpc.InvalidParams("min", "must be a seq, or 0"), release
	}
	needs := grants.Join
	if isModeration(a.Method) {
		needs = grants.Moderate
	}
	if schema.CheckName(p.Channel) != nil || s.backend.allowed(needs, p.Channel) != nil {
		return nil, release
	}
	if a.inc.format(p.Channel) < 2 {
		return &errNoMethod, release
	}
	ch, release, err := a.inc.guests.enter(ctx, p.Channel)
	if err != nil {
		return rpc.Unavailable(retryAfter), func() {}
	}
	s.places[p.Channel] = &place{
		session: s, name: p.Channel, partition: ch.partition, state: live, channel: ch, acked: p.Min,
	}
	return nil, release
}

func isModeration(method string) bool {
	switch method {
	case rpc.MethodPin, rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge, rpc.MethodSet, rpc.MethodSanctions:
		return true
	}
	return false
}

// oneShot is the front of a session that carries one request, and takes its answer:
// nobody is connected.
type oneShot struct {
	over  context.Context
	once  sync.Once
	done  chan struct{} // closed when there is an answer
	write func([]byte) []byte
	bad   *rpc.Error
}

var _ front.Front = (*oneShot)(nil)

func (f *oneShot) Answer(_ []byte, write func([]byte) []byte) { f.take(write, nil) }

func (f *oneShot) Refuse(_ []byte, bad *rpc.Error) { f.take(nil, bad) }

func (f *oneShot) take(write func([]byte) []byte, bad *rpc.Error) {
	f.once.Do(func() {
		f.write, f.bad = write, bad
		close(f.done)
	})
}

func (f *oneShot) Dialect() room.Dialect { return nil }

func (f *oneShot) Manner() front.Manner { return front.Manner{} }

func (f *oneShot) Serve(func(rpc.Request, *rpc.Error), func()) (front.Ending, bool) {
	return front.Ending{}, false
}

func (f *oneShot) Discard() {}

func (f *oneShot) Dismiss(int, string) {}

func (f *oneShot) Probe(time.Time, time.Duration, time.Duration, func(time.Time) bool) {}

func (f *oneShot) Waiting() int { return 0 }

func (f *oneShot) Push(string, any) {}

func (f *oneShot) Send([]byte) {}

func (f *oneShot) Offer([]byte) bool { return true }

func (f *oneShot) Close(int, string) {}

func (f *oneShot) Closing() bool { return false }

func (f *oneShot) RoomNow() bool { return true }

func (f *oneShot) AwaitRoom(ctx context.Context, _ int) bool {
	return ctx.Err() == nil && f.over.Err() == nil
}

func (f *oneShot) FreeRoom(int) {}

func (f *oneShot) Reserve(int) bool { return true }

func (f *oneShot) Release(int) {}
