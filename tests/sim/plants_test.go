package sim

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// misread is a key of a checkpoint as a planted bug has a worker read it; "": not at
// all.
func (w *world) misread(key string) string {
	channel, user, is := schema.StateSanctionOf(key)
	switch {
	case is && w.plant == plantLostSanction:
		return ""
	case is && w.plant == plantSlash: // as if a slash ended the name
		user, _, _ = strings.Cut(user, "/")
		return schema.StateKeySanction(channel, user)
	}
	return key
}

// unbind takes out of a push what a planted bug has connectors not notice.
func unbind(planted plant, p *schema.Push) {
	switch planted {
	case plantStays, plantShown, plantUnmuted, plantNoPurge, plantThawed:
	default:
		return
	}
	var updates []*schema.Update
	for _, u := range p.Updates {
		updates = append(updates, unbound(planted, u))
	}
	p.Updates = slices.DeleteFunc(updates, func(u *schema.Update) bool { return u == nil })
}

// unbound is an update without what a planted bug leaves out; nil: nothing is left.
func unbound(planted plant, of *schema.Update) *schema.Update {
	u := proto.CloneOf(of)
	switch {
	case planted == plantStays && u.GetRemoved() != nil:
		u.GetRemoved().Sessions = nil
	case planted == plantShown && u.GetJoined() != nil:
		u.GetJoined().Banned = nil
	case planted == plantUnmuted && u.GetJoined() != nil:
		u.GetJoined().Mute = nil
	case planted == plantNoPurge && u.GetPurged().GetBy().GetUser() != "":
		return nil
	case planted == plantThawed && u.GetSnapshot() != nil:
		u.GetSnapshot().Settings = nil
	}
	return u
}
