package room

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
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
