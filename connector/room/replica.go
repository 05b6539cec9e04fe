package room

import (
	"encoding/json"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// replica is what the push stream has brought of one channel: who is there, the
// newest public message and change, what is set, and which of the newest offsets are
// void chats or changes. It is exact at position. Pure; guarded by its channel's lock.
type replica struct {
	window   int64
	users    []string                   // who are shown, sorted by their bytes
	infos    map[string]json.RawMessage // of those of them who have one
	last     int64
	clast    int64
	binding  // of mutes, those of users who are shown
	position int64
	// When the connector began to follow the channel, nobody had said anything there.
	untouched bool
	voids     []int64 // ascending, complete from position-window on
}

// snapshot takes one chunk of the list that precedes the subscribing join.
func (r *replica) snapshot(s *schema.Snapshot) {
	if s.First {
		r.users, r.infos, r.voids = nil, nil, nil
		r.untouched = s.Untouched
		r.clast, r.binding = s.Clast, binding{settings: s.Settings, amounts: s.Amounts}
	}
	for i, user := range s.Users {
		r.users = append(r.users, user)
		if i < len(s.Infos) {
			r.inform(user, s.Infos[i])
		}
	}
	for _, user := range s.Banned { // of this chunk or those before
		r.remove(user)
	}
	r.voids = append(r.voids, s.Voids...)
}

// advance moves the position to offset.
func (r *replica) advance(offset int64) {
	r.position = offset
	old := 0
	for old < len(r.voids) && r.voids[old] < offset-r.window {
		old++
	}
	r.voids = slices.Delete(r.voids, 0, old)
}

func (r *replica) void(offset int64) { r.voids = append(r.voids, offset) }

// has reports whether the user is there.
func (r *replica) has(user string) bool {
	_, found := slices.BinarySearch(r.users, user)
	return found
}

// add reports whether the user was not there.
func (r *replica) add(user string) bool {
	i, found := slices.BinarySearch(r.users, user)
	if !found {
		r.users = slices.Insert(r.users, i, user)
	}
	return !found
}

// remove reports whether the user was there.
func (r *replica) remove(user string) bool {
	i, found := slices.BinarySearch(r.users, user)
	if found {
		r.users = slices.Delete(r.users, i, i+1)
		delete(r.infos, user)
		delete(r.mutes, user)
	}
	return found
}

// inform keeps what the newest join of a user told of them.
func (r *replica) inform(user string, info []byte) {
	if len(info) == 0 {
		delete(r.infos, user)
		return
	}
	if r.infos == nil {
		r.infos = map[string]json.RawMessage{}
	}
	r.infos[user] = info
}

// page returns up to limit users that follow after ("" for the first).
func (r *replica) page(after string, limit int) []rpc.Member {
	i := 0
	if after != "" {
		var found bool
		if i, found = slices.BinarySearch(r.users, after); found {
			i++
		}
	}
	users := r.users[i:min(i+limit, len(r.users))]
	members := make([]rpc.Member, len(users))
	for i, user := range users {
		members[i] = rpc.Member{User: user, Info: r.infos[user]}
	}
	return members
}
