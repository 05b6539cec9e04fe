package history

import (
	"testing"

	"github.com/parley-chat/parley/schema/changes"
)

// Of the items that the limit leaves no room for, one is left: it says that there are more.
func TestItemsNearTheLimit(t *testing.T) {
	react := func(seq, target int64) item {
		return item{seq: seq, change: changes.Record{Change: changes.Change{React: &changes.React{Name: "+"}}, Target: target}}
	}
	edit := item{seq: 2, change: changes.Record{Change: changes.Change{Edit: &changes.Edit{}}, Target: 7}}
	items := []item{react(1, 7), edit, react(3, 7), react(4, 9), react(5, 8), react(6, 6), react(7, 5)}
	for limit, want := range []int{1, 2, 5, 6, 7, 7} {
		w := walk{q: &Query{Limit: limit}, at: map[int64]int{9: 0}}
		if got := len(w.near(items)); got != want {
			t.Errorf("limit %d: %d items, want %d", limit, got, want)
		}
	}
}
