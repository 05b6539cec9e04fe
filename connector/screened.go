package connector

import (
	"github.com/parley-chat/parley/connector/screen"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// screened asks the program of --before-chat about a text, where there is one, and
// waits for its answer, as all later requests of the session do. done: the act is
// answered. No lock is held.
func (a *act) screened() (done bool, bad *rpc.Error) {
	s, p := a.session, a.place
	asks := s.inc.cfg.BeforeChat
	if asks == nil || s.backend != nil || !a.isText() || !s.inc.cfg.Grants.screens(p.name) {
		return false, nil
	}
	p.withChannel(func(ch *channel) { done, bad = a.settled(ch) })
	if done || bad != nil {
		return done, bad
	}
	if bad := a.draw(); bad != nil {
		return false, bad
	}
	verdict, outcome, err := asks.Ask(s.inc.ctx, a.question(), a.fits)
	s.inc.metrics.screened.Add(1, outcome)
	switch {
	case err != nil && asks.FailsOpen():
	case err != nil:
		return false, rpc.Unavailable(retryAfter)
	case verdict.Deny != nil:
		return false, rpc.Denied(verdict.Deny.Reason)
	case verdict.Replace != nil:
		a.replace(verdict.Replace)
	}
	return false, nil
}

// isText reports whether a person wrote a text with the act.
func (a *act) isText() bool {
	return a.Event.GetChat() != nil || a.Event.GetChange().GetEdit() != nil
}

// question is what is asked about the act.
func (a *act) question() screen.Question {
	q := screen.Question{
		Kind: "chat", Channel: a.place.name, User: a.session.user, Info: a.session.infoNow(),
		ID: idOf(a.Event), Retry: a.Retry, Seq: a.Target, Epoch: a.Epoch,
	}
	if chat := a.Event.GetChat(); chat != nil {
		q.To, q.Body, q.Type, q.Data, q.Reply, q.Mentions = chat.To, chat.Body, chat.Type, chat.Data, chat.Reply, chat.Mentions
		return q
	}
	edit := a.Event.GetChange().GetEdit()
	q.Kind, q.Body, q.Type, q.Data = "edit", edit.Body, edit.GetType(), edit.Data
	return q
}

// fits refuses an answer that puts what no client may send in place of a text.
func (a *act) fits(v screen.Verdict) *rpc.Error {
	if v.Replace == nil {
		return nil
	}
	limits := &a.session.inc.limits
	if body := v.Replace.Body; body != nil {
		if bad := params.CheckBody(*body, limits); bad != nil {
			return bad
		}
	}
	return params.CheckData(v.Replace.Data, limits.Data)
}

// replace puts an answer that fits in place of the text.
func (a *act) replace(r *screen.Replace) {
	chat, edit := a.Event.GetChat(), a.Event.GetChange().GetEdit()
	if r.Body != nil && chat != nil {
		chat.Body = *r.Body
	} else if r.Body != nil {
		edit.Body = *r.Body
	}
	switch {
	case r.Data == nil:
	case chat != nil && params.IsNull(r.Data):
		chat.Data = nil
	case chat != nil:
		chat.Data = r.Data
	case params.IsNull(r.Data):
		edit.Data = []byte{}
	default:
		edit.Data = r.Data
	}
}
