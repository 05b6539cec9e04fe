package room

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

func TestReplicaIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r replica
		want := map[string]bool{}
		for _, step := range rapid.SliceOf(rapid.IntRange(-9, 9)).Draw(t, "steps") {
			user := fmt.Sprint("u", max(step, -step))
			if step < 0 {
				r.remove(user)
				delete(want, user)
			} else {
				r.add(user)
				want[user] = true
			}
		}
		if len(r.users) != len(want) || !slices.IsSorted(r.users) {
			t.Fatalf("%v, want the users of %v", r.users, want)
		}
		var paged []string
		for after := ""; ; {
			p := r.page(after, 3)
			for _, m := range p {
				paged = append(paged, m.User)
			}
			if len(p) < 3 {
				break
			}
			after = p[2].User
		}
		if !slices.Equal(paged, r.users) {
			t.Fatalf("pages give %v of %v", paged, r.users)
		}
	})
}

// Workers name who is banned after the last of the users.
func TestSnapshotHidesBannedUsersOfChunksBefore(t *testing.T) {
	var r replica
	r.snapshot(&schema.Snapshot{First: true, Users: []string{"ada", "bad"}, Infos: [][]byte{nil, []byte(`2`)}})
	r.snapshot(&schema.Snapshot{Users: []string{"eve", "mal"}})
	r.snapshot(&schema.Snapshot{Banned: []string{"bad", "mal"}})
	if want := []string{"ada", "eve"}; !slices.Equal(r.users, want) || len(r.infos) > 0 {
		t.Errorf("shows %v, infos %v, want %v", r.users, r.infos, want)
	}
}
