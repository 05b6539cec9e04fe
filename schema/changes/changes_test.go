package changes

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// shown is everything that a state shows.
type shown struct {
	body, kind, data string
	edited           *Edited
	deleted          *Deleted
	reactions        []Count
	mine             []string
}

func show(s *State, me string) (v shown) {
	v.body, v.kind, v.data, v.edited = s.Text("as sent", "text", "1")
	v.deleted, v.reactions, v.mine = s.Deleted(), s.Reactions(), s.Mine(me)
	return v
}

var message = Message{Seq: 10, User: "ada"}

func fold(all []Change) *State {
	s := new(State)
	for i := range all {
		s.Add(&message, &all[i])
	}
	return s
}

func changesOf(t *rapid.T) []Change {
	text := rapid.SampledFrom([]string{"", "x", "y", "z"})
	user := rapid.SampledFrom([]string{"ada", "bob", "eve"})
	one := func(seq int64) Change {
		c := Change{Seq: seq, Time: seq * 1000, User: user.Draw(t, "user")}
		switch rapid.IntRange(0, 6).Draw(t, "act") {
		case 0:
			c.Edit = &Edit{Body: text.Draw(t, "body")}
			if rapid.Bool().Draw(t, "names type") {
				kind := text.Draw(t, "type")
				c.Edit.Type = &kind
			}
			if rapid.Bool().Draw(t, "names data") {
				data := text.Draw(t, "data")
				c.Edit.Data = &data
			}
		case 1:
			c.Delete = &Delete{Reason: text.Draw(t, "reason")}
		case 2:
			c.Purge = &Purge{User: user.Draw(t, "whose"), Since: rapid.Int64Range(0, seq).Draw(t, "since"), Reason: text.Draw(t, "reason")}
		default:
			name := fmt.Sprint("n", rapid.IntRange(0, MaxNames+3).Draw(t, "name"))
			c.React = &React{Name: name, Remove: rapid.Bool().Draw(t, "remove")}
		}
		return c
	}
	var all []Change
	seq := message.Seq
	for range rapid.IntRange(0, 60).Draw(t, "changes") {
		seq += rapid.Int64Range(1, 3).Draw(t, "step")
		all = append(all, one(seq))
	}
	return all
}

// plainly is what is shown, told from the words of the contract.
func plainly(all []Change, me string) (v shown) {
	v.body, v.kind, v.data = "as sent", "text", "1"
	type key struct{ user, name string }
	deciding := map[key]Change{}
	for _, c := range all { // ascending
		switch {
		case c.Edit != nil:
			v.body, v.edited = c.Edit.Body, &Edited{c.Seq, c.Time}
			if c.Edit.Type != nil {
				v.kind = *c.Edit.Type
			}
			if c.Edit.Data != nil {
				v.data = *c.Edit.Data
			}
		case c.React != nil:
			deciding[key{c.User, c.React.Name}] = c
		}
		reason, gone := "", false
		if c.Delete != nil {
			reason, gone = c.Delete.Reason, true
		}
		if p := c.Purge; p != nil && p.User == message.User && p.Since <= message.Seq && message.Seq < c.Seq {
			reason, gone = p.Reason, true
		}
		if gone && v.deleted == nil {
			v.deleted = &Deleted{Seq: c.Seq, Time: c.Time, User: c.User, Reason: reason}
		}
	}
	v.reactions, v.mine = []Count{}, []string{}
	var live []Change
	for _, c := range deciding {
		if !c.React.Remove {
			live = append(live, c)
		}
	}
	slices.SortFunc(live, func(a, b Change) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, c := range live {
		if c.User == me {
			v.mine = append(v.mine, c.React.Name)
		}
		at := slices.IndexFunc(v.reactions, func(n Count) bool { return n.Name == c.React.Name })
		if at < 0 {
			at = len(v.reactions)
			v.reactions = append(v.reactions, Count{Name: c.React.Name})
		}
		v.reactions[at].Count++
	}
	v.reactions = v.reactions[:min(len(v.reactions), MaxNames)]
	return v
}

// What is shown depends on which changes there are: not on their order, nor on
// how often each comes.
func TestStateIsOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := changesOf(t)
		want := plainly(all, "ada")
		if got := show(fold(all), "ada"); !reflect.DeepEqual(got, want) {
			t.Fatalf("in order: %+v, want %+v", got, want)
		}
		mixed := rapid.Permutation(all).Draw(t, "permutation")
		for range rapid.IntRange(0, 10).Draw(t, "repeats") {
			if len(all) > 0 {
				mixed = append(mixed, all[rapid.IntRange(0, len(all)-1).Draw(t, "again")])
			}
		}
		if got := show(fold(mixed), "ada"); !reflect.DeepEqual(got, want) {
			t.Fatalf("mixed: %+v, want %+v", got, want)
		}
	})
}

// A purge takes away what is from its since up to before itself.
func TestPurges(t *testing.T) {
	for _, c := range []struct {
		seq   int64
		purge Purge
		gone  bool
	}{
		{11, Purge{User: "ada"}, true},
		{11, Purge{User: "ada", Since: 10}, true},
		{11, Purge{User: "ada", Since: 11}, false},
		{10, Purge{User: "ada"}, false}, // its own seq, which is no message's
		{9, Purge{User: "ada"}, false},
		{11, Purge{User: "bob"}, false},
	} {
		s := fold([]Change{{Seq: c.seq, Purge: &c.purge}})
		if gone := s.Deleted() != nil; gone != c.gone {
			t.Errorf("a purge of %+v at %d: gone %v", c.purge, c.seq, gone)
		}
	}
}
