package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/checker"
)

// isModerator reports whether a user's token grants that everywhere.
func isModerator(user string) bool { return user == "user-00" || user == "user-07" }

// unlimited turns off the rates that come with authentication.
var unlimited = []string{
	"--rate", "0", "--user-rate", "0", "--join-rate", "0", "--user-join-rate", "0", "--chat-rate", "0", "--connect-rate", "0",
	"--max-user-connections", "0", "--read-rate", "0",
}

// authenticate has connectors take tokens, which say who moderates.
func (s *system) authenticate(folder string, secret []byte) error {
	file := filepath.Join(folder, "tokens.secret")
	s.secret = secret
	s.flags["connector"] = append(append(s.flags["connector"], "--auth-secret", file), unlimited...)
	return os.WriteFile(file, secret, 0o600)
}

// hello is what a user greets a connector with.
func (s *system) hello(user string) (rpc.HelloParams, error) {
	p := rpc.HelloParams{Client: "chaos"}
	if s.secret == nil {
		p.User = user
		return p, nil
	}
	allow := []string{"*"}
	if isModerator(user) {
		allow = append(allow, "moderate")
	}
	var err error
	p.Token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user, "iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(12 * time.Hour).Unix(),
		"parley": map[string]any{"grants": []any{map[string]any{"channels": []string{"*"}, "allow": allow}}},
	}).SignedString(s.secret)
	return p, err
}

// standing is what a moderator has done that has to be undone before all is quiet.
type standing struct{ channel, user string } // of the channel itself where there is no user

// moderate is something that moderators do, mostly to who has said something there.
func (p *person) moderate(s *session, channel string) act {
	user, id := p.others[p.rng.IntN(len(p.others))], ulid.Make().String()
	if m, found := p.anyShown(s, channel); found {
		user = m.user
	}
	switch n := p.rng.IntN(100); {
	case n < 25 || n < 60 && isModerator(user):
		return p.restrict(checker.OpMute, channel, user, id)
	case n < 50:
		return p.restrict(checker.OpBan, channel, user, id)
	case n < 60:
		return act{rpc.MethodKick, checker.Entry{Op: checker.OpKick, Channel: channel, Kick: &rpc.KickParams{Channel: channel, User: user, ID: id, Reason: "calm down"}}}
	case n < 75:
		return p.pardon(standing{channel, user})
	case n < 80:
		q := rpc.PurgeParams{Channel: channel, User: user, ID: id, Since: max(1, p.seen[channel].seq-20), Reason: "spam"}
		return act{rpc.MethodPurge, checker.Entry{Op: checker.OpRequested, Channel: channel, Requested: &q}}
	}
	return p.set(channel, id)
}

// restrict mutes or bans a user, mostly for a moment.
func (p *person) restrict(op checker.Op, channel, user, id string) act {
	q := rpc.SanctionParams{Channel: channel, User: user, ID: id, Reason: "spam"}
	if p.rng.IntN(2) > 0 {
		q.For = new(500 + p.rng.Int64N(2500))
	} else {
		p.standing[standing{channel, user}] = true
	}
	if p.rng.IntN(4) == 0 {
		q.Purge = new(max(1, p.seen[channel].seq-10))
	}
	return act{string(op), checker.Entry{Op: op, Channel: channel, Sanction: &q}}
}

// set is a setting of a channel, which is seldom frozen.
func (p *person) set(channel, id string) act {
	q := rpc.SetParams{Channel: channel, ID: id}
	switch p.rng.IntN(5) {
	case 0:
		q.Slow = new(p.rng.Int64N(2))
		p.standing[standing{channel: channel}] = true
	case 1:
		q.Frozen = new(p.rng.IntN(4) == 0)
		p.standing[standing{channel: channel}] = true
	case 2:
		q.Topic = new("topic " + id)
	case 3:
		q.Topic, q.Data = new(""), json.RawMessage(`null`)
	case 4:
		q.Data = json.RawMessage(`{"pinned":"rules"}`)
	}
	return act{rpc.MethodSet, checker.Entry{Op: checker.OpSet, Channel: channel, Set: &q}}
}

// pardon undoes what stands.
func (p *person) pardon(is standing) act {
	id := ulid.Make().String()
	if is.user != "" {
		q := rpc.LiftParams{Channel: is.channel, User: is.user, ID: id}
		return act{rpc.MethodLift, checker.Entry{Op: checker.OpLift, Channel: is.channel, Lift: &q}}
	}
	q := rpc.SetParams{Channel: is.channel, ID: id, Slow: new(int64(0)), Frozen: new(false)}
	return act{rpc.MethodSet, checker.Entry{Op: checker.OpSet, Channel: is.channel, Set: &q}}
}

// pardonAll undoes everything that the moderator has done and that would last.
func (p *person) pardonAll(ctx context.Context, s *session) bool {
	for is := range p.standing {
		p.sleep(ctx, 150*time.Millisecond, 200*time.Millisecond) // under the limit of two devices
		if !p.comeBack(ctx, s, is.channel) || !s.do(ctx, p.pardon(is)) {
			return false
		}
		if s.refused() == 0 {
			delete(p.standing, is)
		}
	}
	return len(p.standing) == 0
}

// comeBack joins a channel where the session is out of it, again and again where it
// is banned. It is false when the session is over.
func (p *person) comeBack(ctx context.Context, s *session, channel string) bool {
	for !p.wants[channel] || s.isOut(channel) {
		if p.wants[channel] = true; !p.join(ctx, s, channel, true) {
			return false
		}
		if s.isOut(channel) {
			p.sleep(ctx, 200*time.Millisecond, 400*time.Millisecond)
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

func (s *session) isOut(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out[channel]
}

func (s *session) setOut(channel string, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out[channel] = out
}

// refused is the code with which the newest act was answered; 0: with a result.
func (s *session) refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

func (s *session) sanctions(ctx context.Context, channel string) bool {
	e := checker.Entry{Began: s.rec.now(), Op: checker.OpSanctions, Channel: channel}
	params := rpc.SanctionsParams{Channel: channel, Limit: new(1000)}
	return s.call(ctx, rpc.MethodSanctions, params, func(result json.RawMessage, err error) {
		e.Sanctions = new(rpc.SanctionsResult)
		s.note(e, result, err, e.Sanctions)
	})
}

// sanctioned reports whether an error refuses a join to a banned user.
func sanctioned(err error) bool {
	var refused *rpc.Error
	return errors.As(err, &refused) && refused.Code == rpc.CodeSanctioned
}

// excused are refusals that sanctions and slow mode explain: a client that is out of
// a channel has requests under way there, or does not care.
type excused struct {
	out map[[2]string]time.Duration // since when, by session and channel
}

// is takes the next entry.
func (x *excused) is(e *checker.Entry) bool {
	key := [2]string{e.Session, e.Channel}
	switch {
	case e.Op == checker.PushRemoved, e.Op == checker.OpJoin && e.Code == rpc.CodeSanctioned:
		x.out[key] = e.At
	}
	since, was := x.out[key]
	if e.Op == checker.OpJoin && e.Outcome == checker.OK && was && e.Began > since {
		delete(x.out, key)
	}
	switch e.Code {
	case rpc.CodeGone, rpc.CodeForbidden: // of messages of others, or that they deleted
		return true
	case rpc.CodeSanctioned, rpc.CodeRateLimited:
		return true
	case rpc.CodeNotJoined:
		return was
	}
	return false
}
