package connector

import (
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema/rpc"
)

// rights are what a session's user may do: what their token and the file of
// grants say.
type rights struct {
	claim   grants.List
	file    *grants.List // as of when matcher was compiled
	matcher *grants.Matcher
}

// open are the rights of everybody where users are not authenticated.
var open = grants.Open()

// allowed refuses what the user may not do in a channel. It runs on the reading
// goroutine.
func (s *session) allowed(a grants.Action, channel string) *rpc.Error {
	if missing, ok := s.matcher().Check(a, channel, time.Now()); !ok {
		return rpc.Forbidden(missing.String(), channel)
	}
	return nil
}

// placeFor is place, for a user who may do something there.
func (s *session) placeFor(a grants.Action, channel string) (*place, *rpc.Error) {
	if bad := s.allowed(a, channel); bad != nil {
		return nil, bad
	}
	return s.place(channel)
}

// takes is the action that a message takes.
func (m *chatParams) takes() grants.Action {
	if m.ChatParams.To != "" {
		return grants.Private
	}
	return grants.Chat
}

// matcher is compiled once for a token, and again when the file was read again.
func (s *session) matcher() *grants.Matcher {
	if s.inc.cfg.Auth == nil {
		return open
	}
	r := &s.rights
	if file := s.inc.cfg.Grants.list(); r.matcher == nil || file != r.file {
		lists := []grants.List{r.claim}
		if file != nil {
			lists = append(lists, *file)
		}
		r.file, r.matcher = file, grants.Compile(s.user, lists...)
	}
	return r.matcher
}
