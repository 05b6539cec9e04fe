package connector

import (
	"cmp"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// In pages of less than the default size, of each kind what takes up to a
	// kilobyte: a sanction, and who reacts.
	smallSanctions = 12
	smallReactions = 100
	memberBytes    = 24 // that JSON takes for a member besides the name and the info
)

// limits are those of the session: its front may want smaller pages.
func (s *session) limits() rpc.Limits {
	l := s.inc.limits
	l.Page = min(l.Page, cmp.Or(s.front.Manner().Page, l.Page))
	return l
}

// atMost is a limit of how many are listed, where the session's pages are small.
func (s *session) atMost(limit, small int) int {
	if s.front.Manner().Page > 0 {
		return min(limit, small)
	}
	return limit
}

// shown are as many members of a list as a page takes a part of, one at least.
func shown(members []rpc.Member, m front.Manner, part int) []rpc.Member {
	if m.Page == 0 {
		return members
	}
	used := 0
	for i := range members {
		used += len(rpc.AppendJSON(nil, members[i].User)) + len(members[i].Info) + memberBytes
		if i > 0 && used > m.Page/part {
			return members[:i]
		}
	}
	return members
}
