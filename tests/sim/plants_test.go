package sim

import (
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema"
)

// misread is a key of a checkpoint as a planted bug has a worker read it; "": not at
// all.
func (w *world) misread(key string) string {
	channel, user, is := schema.StateSanctionOf(key)
	switch {
	case is && w.plant == plantSanctionLost:
		return ""
	case is && w.plant == plantSlash: // as if a slash ended the name
		user, _, _ = strings.Cut(user, "/")
		return schema.StateKeySanction(channel, user)
	}
	return key
}

// spoil plants bugs into a push.
func (o *owner) spoil(p *schema.Push) {
	switch o.w.plant {
	case plantSkippedLink:
		skipLink(p)
	case plantNoPurge:
		p.Updates = slices.DeleteFunc(slices.Clone(p.Updates), func(u *schema.Update) bool { return u.GetPurged().GetBy().GetUser() != "" })
	case plantUntouched:
		forgetPrivate(p)
	default:
		for _, u := range p.Updates {
			o.w.unbind(u)
		}
	}
}

// unbind takes out of an update what a planted bug has connectors not notice.
func (w *world) unbind(u *schema.Update) {
	joined, removed := u.GetJoined(), u.GetRemoved()
	switch w.plant {
	case plantBannedSeen:
		if joined != nil {
			joined.Banned = nil
		}
	case plantMuteForgotten:
		if joined != nil {
			joined.Mute = nil
		}
	case plantStaysIn:
		if n := len(removed.GetSessions()); n > 0 {
			removed.Sessions = removed.Sessions[:n-1]
		}
	case plantUnfrozen:
		if s := u.GetSnapshot(); s != nil {
			s.Settings = nil
		}
	}
}

// forgetPrivate calls a channel untouched that has no public message and no public change.
func forgetPrivate(p *schema.Push) {
	joined := p.Updates[len(p.Updates)-1].GetJoined()
	if s := p.Updates[0].GetSnapshot(); s.GetFirst() && joined != nil && joined.Last == 0 && joined.Clast == 0 {
		s.Untouched = true
	}
}
