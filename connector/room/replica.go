package room

import (
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// replica is what the push stream has brought of one channel: who is there, the
// newest public message, and which of the newest offsets are void chats. It is
// exact at position. Pure; guarded by its channel's lock.
type replica struct {
	window   int64
	users    []string // sorted by their bytes
	last     int64
	position int64
	voids    []int64 // ascending, complete from position-window on
}

// snapshot takes one chunk of the list that precedes the subscribing join.
func (r *replica) snapshot(s *schema.Snapshot) {
	if s.First {
		r.users, r.voids = nil, nil
	}
	r.users = append(r.users, s.Users...)
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

func (r *replica) add(user string) {
	if i, found := slices.BinarySearch(r.users, user); !found {
		r.users = slices.Insert(r.users, i, user)
	}
}

func (r *replica) remove(user string) {
	if i, found := slices.BinarySearch(r.users, user); found {
		r.users = slices.Delete(r.users, i, i+1)
	}
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
		members[i].User = user
	}
	return members
}
