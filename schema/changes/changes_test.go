package changes

import "testing"

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
		s := new(State)
		s.Add(&Message{Seq: 10, User: "ada"}, &Change{Seq: c.seq, Purge: &c.purge})
		if gone := s.Deleted() != nil; gone != c.gone {
			t.Errorf("a purge of %+v at %d: gone %v", c.purge, c.seq, gone)
		}
	}
}
