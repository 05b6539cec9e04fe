package fold

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// smallLimit splits events of a few users into several pushes.
const smallLimit = headroom + 64

// The properties are cheap; the command line may still say otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// drawLog makes up the events of a partition: three connectors that lie about
// their counters, come back after their down and send what makes no sense.
func drawLog(t *rapid.T) []*schema.Event {
	users := []string{"ann", "bob-with-a-long-name", "cat-with-a-longer-name-still"}
	inForce := int32(rapid.IntRange(1, 2).Draw(t, "format"))
	// Sessions that change their user make sense in no format; info and kicks need
	// sessions that do not.
	strange := inForce == 1 && rapid.Bool().Draw(t, "strange")
	events := []*schema.Event{markerOf(inForce)}
	counters := map[string]uint64{}
	for range rapid.IntRange(1, 80).Draw(t, "length") {
		connector := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "connector")
		if counters[connector]++; rapid.IntRange(0, 9).Draw(t, "repeat") == 0 && counters[connector] > 1 {
			counters[connector]--
		}
		n := counters[connector]
		channel := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "channel")
		session := connector + rapid.SampledFrom([]string{"1", "2"}).Draw(t, "session")
		user := rapid.SampledFrom(users).Draw(t, "user")
		member := user
		if !strange {
			member = users[(session[0]+session[1])%3]
		}
		id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id")
		if !strange && rapid.IntRange(0, 9).Draw(t, "raise") == 0 {
			inForce = 2
			events = append(events, format(2))
		}
		if inForce > 1 && rapid.Bool().Draw(t, "format 2") {
			events = append(events, drawFormat2(t, connector, n, channel, session, member, user, id))
			continue
		}
		switch rapid.IntRange(0, 12).Draw(t, "kind") {
		case 0, 1, 2, 3:
			events = append(events, join(connector, n, channel, session, member))
		case 4, 5, 6:
			events = append(events, leave(connector, n, channel, session, member))
		case 7, 8, 9:
			events = append(events, chat(connector, n, channel, user, id, ""))
		case 10:
			events = append(events, chat(connector, n, channel, user, id, "bob"))
		default:
			events = append(events, down(connector))
		}
	}
	return events
}

func newSmall() *Fold {
	f := New(testLog)
	small(f)
	return f
}

// small splits events, and has few pins.
func small(f *Fold) { f.limit, f.pins = smallLimit, 2 }

func encode(t *rapid.T, o Out) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(o.Push)
	if err != nil {
		t.Fatalf("encode push: %v", err)
	}
	return fmt.Appendf(b, "in %d", o.PushPartition)
}

func TestFoldingTwiceGivesTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawLog(t)
		f, g := newSmall(), newSmall()
		for i, e := range events {
			a, b := apply(t, f, int64(i), e), apply(t, g, int64(i), proto.CloneOf(e))
			if len(a) != len(b) {
				t.Fatalf("offset %d: %d and %d pushes", i, len(a), len(b))
			}
			for j := range a {
				if !bytes.Equal(encode(t, a[j]), encode(t, b[j])) {
					t.Fatalf("offset %d: %s and %s", i, show(a[j]), show(b[j]))
				}
			}
			if rapid.Bool().Draw(t, "flush") {
				compareRecords(t, flush(t, f), flush(t, g))
			}
		}
	})
}

func flush(t *rapid.T, f *Fold) []Record {
	records, err := f.Flush(0)
	if err != nil {
		t.Fatalf("flush: %v", err)
	}
	keys := map[string]bool{}
	for i, r := range records {
		if keys[r.Key] || (r.Key == schema.StateKeyMarker) != (i == len(records)-1) {
			t.Fatalf("flush has %q at %d of %d, or twice", r.Key, i, len(records))
		}
		keys[r.Key] = true
	}
	return records
}

func compareRecords(t *rapid.T, got, want []Record) {
	if !slices.EqualFunc(got, want, func(a, b Record) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
		t.Fatalf("records differ:\n got %q\nwant %q", got, want)
	}
}

// everything is a flush of all keys: the whole state.
func everything(t *rapid.T, f *Fold) []Record {
	f.dirty = newDirtyKeys()
	for id := range f.connectors {
		f.dirty.connector(id)
	}
	for name, ch := range f.channels {
		if ch.touched() {
			f.dirty.channel(name)
		}
		f.markMore(ch)
		for session := range ch.members {
			f.dirty.member(session, name)
		}
	}
	return flush(t, f)
}

// replica is what a connector knows of a channel from its pushes alone.
type replica struct {
	users    map[string]bool
	sessions map[string]bool // its own
	last     int64
	count    int64

	watched  bool
	clast    int64
	infos    map[string]string
	settings *schema.Settings
}

// receiver is a connector that gets pushes of one partition.
type receiver struct {
	id       string
	at       stamp
	ended    bool
	channels map[string]*replica
	taken    [][]byte
}

// take drops what was seen, checks the chain of stamps and applies the rest.
func (r *receiver) take(t *rapid.T, o Out) {
	p := o.Push
	at := stamp{p.Offset, p.Index}
	if cmp.Or(cmp.Compare(at.offset, r.at.offset), cmp.Compare(at.index, r.at.index)) <= 0 {
		return
	}
	prev := stamp{p.PrevOffset, p.PrevIndex}
	if prev != r.at && !(r.ended && prev == stamp{}) {
		t.Fatalf("%s is at %v: %s", r.id, r.at, show(o))
	}
	r.at, r.ended = at, false
	r.taken = append(r.taken, encode(t, o))
	for _, u := range p.Updates {
		if u.GetEnded() != nil {
			r.ended, r.channels = true, map[string]*replica{}
			continue
		}
		r.update(t, p.Offset, u)
	}
}

func (r *receiver) update(t *rapid.T, offset int64, u *schema.Update) {
	ch := r.channels[u.Channel]
	if s := u.GetSnapshot(); s != nil && s.First {
		ch = &replica{users: map[string]bool{}, sessions: map[string]bool{}, infos: map[string]string{}, clast: s.Clast, settings: s.Settings}
		r.channels[u.Channel] = ch
	}
	if ch == nil {
		if u.GetUnwatched() != nil {
			return
		}
		if l := u.GetLeft(); l == nil || l.Gone || l.Unsubscribed {
			t.Fatalf("%s has not subscribed to %s", showUpdate(u), u.Channel)
		}
		return
	}
	switch k := u.Kind.(type) {
	default:
		r.updateFormat2(t, offset, ch, u)
	case *schema.Update_Message:
		if k.Message.Prev != ch.last {
			t.Fatalf("%s follows %d", showUpdate(u), ch.last)
		}
		if k.Message.To == "" {
			ch.last = offset
		}
	case *schema.Update_Snapshot:
		for i, user := range k.Snapshot.Users {
			ch.users[user] = true
			if k.Snapshot.Infos != nil {
				ch.inform(user, k.Snapshot.Infos[i])
			}
		}
	case *schema.Update_Joined:
		if k.Joined.First {
			ch.users[k.Joined.User] = true
		}
		if k.Joined.Connector == r.id {
			ch.sessions[k.Joined.Session] = true
		}
		ch.count, ch.last, ch.clast = k.Joined.Count, k.Joined.Last, k.Joined.Clast
		ch.inform(k.Joined.User, k.Joined.Info)
	case *schema.Update_Left:
		if k.Left.Gone {
			ch.gone(k.Left.User)
		}
		delete(ch.sessions, k.Left.Session)
		ch.count = k.Left.Count
		if k.Left.Unsubscribed {
			delete(r.channels, u.Channel)
		}
	case *schema.Update_Departed:
		for _, user := range k.Departed.Users {
			ch.gone(user)
		}
		ch.count = k.Departed.Count
	}
}

// holds compares the replicas of a receiver with the Fold.
func (r *receiver) holds(t *rapid.T, f *Fold) {
	var want map[string]*channel
	if c, known := f.connectors[r.id]; known {
		want = c.channels
	}
	if len(want) != len(r.channels) {
		t.Fatalf("%s has %d channels, the fold %d", r.id, len(r.channels), len(want))
	}
	for name, ch := range want {
		got := r.channels[name]
		if got == nil || !slices.Equal(slices.Sorted(maps.Keys(got.users)), ch.sortedUsers()) || got.count != int64(len(ch.users)) || got.last != ch.last {
			t.Fatalf("%s knows of %s %+v, the fold %v, last %d", r.id, name, got, ch.users, ch.last)
		}
		got.holdsFormat2(t, name, r.id, ch)
		own := ch.sessionsOf(f.connectors[r.id])
		slices.Sort(own)
		if !slices.Equal(slices.Sorted(maps.Keys(got.sessions)), own) {
			t.Fatalf("%s has sessions %v in %s, the fold %v", r.id, got.sessions, name, own)
		}
	}
}

type receivers map[string]*receiver

func newReceivers() receivers {
	rs := receivers{}
	for _, id := range []string{"a", "b", "c"} {
		rs[id] = &receiver{id: id, channels: map[string]*replica{}}
	}
	return rs
}

func TestReplicasFollowTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, rs := newSmall(), newReceivers()
		for i, e := range drawLog(t) {
			for _, o := range apply(t, f, int64(i), e) {
				rs[o.Push.Connector].take(t, o)
			}
			for _, r := range rs {
				r.holds(t, f)
			}
		}
	})
}
