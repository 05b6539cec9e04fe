package fold

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

const testWindow = 4

var testLog = Log{Partition: 3, Epoch: "e1", TopicID: [16]byte{1}, Window: testWindow}

func marker() *schema.Event {
	return &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: testLog.Epoch, Format: 1, Window: testWindow}}}
}

func join(connector string, counter uint64, channel, session, user string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: channel, Session: session, User: user, PushPartition: pushPartition(connector),
	}}}
}

// pushPartition gives each connector of a test a partition that identifies it.
func pushPartition(connector string) int32 { return int32(connector[0]) }

func leave(connector string, counter uint64, channel, session, user string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Leave{Leave: &schema.Leave{
		Channel: channel, Session: session, User: user, Reason: schema.Reason_REASON_LEAVE,
	}}}
}

func chat(connector string, counter uint64, channel, user, id, to string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: channel, Session: "s", User: user, Id: id, Body: "hi", To: to,
	}}}
}

func down(connector string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: connector, Reason: schema.Reason_REASON_TIMEOUT}}}
}

func format(n int32) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: n}}}
}

// show writes a push as "connector@offset.index<prev.index: updates".
func show(o Out) string {
	p := o.Push
	s := fmt.Sprintf("%s@%d.%d<%d.%d:", p.Connector, p.Offset, p.Index, p.PrevOffset, p.PrevIndex)
	if o.PushPartition != pushPartition(p.Connector) || p.Partition != testLog.Partition {
		s += fmt.Sprintf(" in %d of %d", o.PushPartition, p.Partition)
	}
	for _, u := range p.Updates {
		s += " " + showUpdate(u)
	}
	return s
}

func showUpdate(u *schema.Update) string {
	words := []string{u.Channel}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	flag := func(name string, set bool) {
		if set {
			words = append(words, name)
		}
	}
	switch k := u.Kind.(type) {
	case *schema.Update_Message:
		add("message %s/%s/%s", k.Message.User, k.Message.Id, k.Message.Body)
		words = append(words, showStructure(k.Message)...)
		flag("to "+k.Message.To, k.Message.To != "")
		add("prev %d", k.Message.Prev)
	case *schema.Update_VoidChat:
		add("void")
	case *schema.Update_Snapshot:
		flag("first", k.Snapshot.First)
		add("users %v voids %v", k.Snapshot.Users, k.Snapshot.Voids)
		words = append(words, showRest(k.Snapshot)...)
	case *schema.Update_Joined:
		j := k.Joined
		add("joined %s/%s/%s", j.Session, j.User, j.Connector)
		flag("first", j.First)
		add("last %d count %d", j.Last, j.Count)
		flag("subscribed", j.Subscribed)
		flag(fmt.Sprintf("clast %d", j.Clast), j.Clast > 0)
		flag("info "+string(j.Info), len(j.Info) > 0)
		flag("mute "+showInForce(j.Mute), j.Mute != nil)
		flag("banned "+showInForce(j.Banned), j.Banned != nil)
	case *schema.Update_Left:
		l := k.Left
		add("left %s/%s/%d", l.Session, l.User, l.Reason)
		flag("gone", l.Gone)
		add("count %d", l.Count)
		flag("unsubscribed", l.Unsubscribed)
	case *schema.Update_Departed:
		add("departed %v/%d count %d", k.Departed.Users, k.Departed.Reason, k.Departed.Count)
	case *schema.Update_Ended:
		return "{ended}"
	default:
		words = append(words, showFormat2(u)...)
	}
	return "{" + strings.Join(words, " ") + "}"
}

// TestRules lists what each event means, step by step.
func TestRules(t *testing.T) {
	type step struct {
		event *schema.Event
		want  []string
	}
	for name, steps := range map[string][]step{
		"a join subscribes its connector": {
			{chat("a", 1, "c", "ann", "1", ""), nil},
			{chat("a", 2, "c", "ann", "1", ""), nil},
			{join("a", 3, "c", "s1", "ann"), []string{"a@3.0<0.0: {c first users [ann] voids [2]} {c joined s1/ann/a first last 1 count 1 subscribed}"}},
			{join("b", 1, "c", "s2", "bob"), []string{
				"a@4.0<3.0: {c joined s2/bob/b first last 1 count 2}",
				"b@4.0<0.0: {c first users [ann bob] voids [2]} {c joined s2/bob/b first last 1 count 2 subscribed}",
			}},
			{join("b", 2, "c", "s3", "ann"), []string{
				"a@5.0<4.0: {c joined s3/ann/b last 1 count 2}",
				"b@5.0<4.0: {c joined s3/ann/b last 1 count 2}",
			}},
		},
		"a repeated join changes nothing and is answered": {
			{join("a", 1, "c", "s1", "ann"), []string{"a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{join("a", 2, "c", "s1", "ann"), []string{"a@2.0<1.0: {c joined s1/ann/a last 0 count 1}"}},
			{leave("a", 3, "c", "s1", "ann"), []string{"a@3.0<2.0: {c left s1/ann/1 gone count 0 unsubscribed}"}},
		},
		"a void join or leave is not shown": {
			{join("a", 5, "c", "s1", "ann"), []string{"a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{join("a", 5, "c", "s1", "ann"), nil},
			{leave("a", 4, "c", "s1", "ann"), nil},
			{chat("b", 1, "c", "eve", "1", ""), []string{"a@4.0<1.0: {c message eve/1/hi prev 0}"}},
		},
		"chats go to every connector with members, private ones are not links": {
			{join("a", 1, "c", "s1", "ann"), []string{"a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{chat("a", 2, "c", "ann", "1", ""), []string{"a@2.0<1.0: {c message ann/1/hi prev 0}"}},
			{chat("b", 1, "c", "bob", "2", "ann"), []string{"a@3.0<2.0: {c message bob/2/hi to ann prev 2}"}},
			{chat("b", 2, "c", "bob", "3", ""), []string{"a@4.0<3.0: {c message bob/3/hi prev 2}"}},
			{chat("b", 3, "c", "bob", "3", ""), []string{"a@5.0<4.0: {c void}"}},
			{chat("b", 4, "c", "bob", "4", ""), []string{"a@6.0<5.0: {c message bob/4/hi prev 4}"}},
			{chat("b", 5, "other", "bob", "4", ""), nil},
		},
		"a user is gone with the last session, a connector with its last": {
			{join("a", 1, "c", "s1", "ann"), []string{"a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{join("b", 1, "c", "s2", "ann"), []string{
				"a@2.0<1.0: {c joined s2/ann/b last 0 count 1}",
				"b@2.0<0.0: {c first users [ann] voids []} {c joined s2/ann/b last 0 count 1 subscribed}",
			}},
			{leave("a", 2, "c", "s1", "ann"), []string{
				"a@3.0<2.0: {c left s1/ann/1 count 1 unsubscribed}",
				"b@3.0<2.0: {c left s1/ann/1 count 1}",
			}},
			{leave("b", 2, "c", "s2", "ann"), []string{"b@4.0<3.0: {c left s2/ann/1 gone count 0 unsubscribed}"}},
		},
		"the leave of no member is answered": {
			{leave("z", 1, "c", "s9", "zoe"), nil},
			{join("a", 1, "c", "s1", "ann"), []string{"a@2.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{leave("z", 2, "c", "s9", "zoe"), []string{"a@3.0<2.0: {c left s9/zoe/1 count 1}"}},
			{join("b", 1, "d", "s2", "bob"), []string{"b@4.0<0.0: {d first users [bob] voids []} {d joined s2/bob/b first last 0 count 1 subscribed}"}},
			{leave("b", 2, "c", "s2", "bob"), []string{
				"a@5.0<3.0: {c left s2/bob/1 count 1}",
				"b@5.0<4.0: {c left s2/bob/1 count 1}",
			}},
		},
		"a down ends all memberships of its connector": {
			{join("b", 1, "d", "s1", "ann"), []string{"b@1.0<0.0: {d first users [ann] voids []} {d joined s1/ann/b first last 0 count 1 subscribed}"}},
			{join("b", 2, "c", "s1", "ann"), []string{"b@2.0<1.0: {c first users [ann] voids []} {c joined s1/ann/b first last 0 count 1 subscribed}"}},
			{join("b", 3, "c", "s0", "abe"), []string{"b@3.0<2.0: {c joined s0/abe/b first last 0 count 2}"}},
			{join("a", 1, "c", "s3", "cat"), []string{
				"a@4.0<0.0: {c first users [abe ann cat] voids []} {c joined s3/cat/a first last 0 count 3 subscribed}",
				"b@4.0<3.0: {c joined s3/cat/a first last 0 count 3}",
			}},
			{join("a", 2, "d", "s4", "ann"), []string{
				"a@5.0<4.0: {d first users [ann] voids []} {d joined s4/ann/a last 0 count 1 subscribed}",
				"b@5.0<4.0: {d joined s4/ann/a last 0 count 1}",
			}},
			{down("b"), []string{
				"a@6.0<5.0: {c departed [abe ann]/3 count 1} {d departed []/3 count 1}",
				"b@6.0<5.0: {ended}",
			}},
			{down("b"), nil},
			{join("b", 4, "c", "s1", "ann"), []string{"b@8.0<0.0: {ended}"}},
			{leave("b", 5, "c", "s1", "ann"), []string{"a@9.0<6.0: {c left s1/ann/1 count 1}"}},
			{chat("b", 6, "c", "ann", "1", ""), []string{"a@10.0<9.0: {c message ann/1/hi prev 0}"}},
		},
		"a connector without members gets its down": {
			{join("a", 1, "c", "s1", "ann"), []string{"a@1.0<0.0: {c first users [ann] voids []} {c joined s1/ann/a first last 0 count 1 subscribed}"}},
			{leave("a", 2, "c", "s1", "ann"), []string{"a@2.0<1.0: {c left s1/ann/1 gone count 0 unsubscribed}"}},
			{down("a"), []string{"a@3.0<2.0: {ended}"}},
		},
		"a marker above offset 0 is ignored": {
			{&schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e2", Format: 1, Window: 1}}}, nil},
			{chat("a", 1, "c", "ann", "1", ""), nil},
			{format(1), nil},
			{chat("a", 2, "c", "ann", "1", ""), nil},
			{join("a", 3, "c", "s1", "ann"), []string{"a@5.0<0.0: {c first users [ann] voids [4]} {c joined s1/ann/a first last 2 count 1 subscribed}"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := New(testLog)
			apply(t, f, 0, marker())
			for i, s := range steps {
				var got []string
				for _, o := range apply(t, f, int64(i+1), s.event) {
					got = append(got, show(o))
				}
				if !slices.Equal(got, s.want) {
					t.Errorf("offset %d:\n got %s\nwant %s", i+1, strings.Join(got, "\n     "), strings.Join(s.want, "\n     "))
				}
			}
		})
	}
}

func apply(t interface{ Fatalf(string, ...any) }, f *Fold, offset int64, e *schema.Event) []Out {
	out, err := f.Apply(offset, e)
	if err != nil {
		t.Fatalf("offset %d: %v", offset, err)
	}
	return out
}

// The snapshot lists the void chats of the last N offsets, not one more.
func TestVoidListReachesOneWindowBack(t *testing.T) {
	for distance, want := range map[int64]int{testWindow: 1, testWindow + 1: 0} {
		f := New(testLog)
		apply(t, f, 0, marker())
		apply(t, f, 1, chat("a", 1, "c", "ann", "1", ""))
		apply(t, f, 2, chat("a", 2, "c", "ann", "1", ""))
		out := apply(t, f, 2+distance, join("a", 3, "c", "s1", "ann"))
		if got := len(out[0].Push.Updates[0].GetSnapshot().Voids); got != want {
			t.Errorf("%d offsets after a void chat the snapshot lists %d, want %d", distance, got, want)
		}
	}
}

func TestFormatIsRaisedNotLowered(t *testing.T) {
	f := New(testLog)
	for i, e := range []*schema.Event{marker(), format(3), format(2)} {
		apply(t, f, int64(i), e)
	}
	out := apply(t, f, 3, join("a", 1, "c", "s1", "ann"))
	if f.Format() != 3 || out[0].Push.Format != 3 {
		t.Errorf("format %d, in the push %d, want 3", f.Format(), out[0].Push.Format)
	}
}

func TestForeignMarkerIsRefused(t *testing.T) {
	e := marker()
	e.GetMarker().Epoch = "e2"
	_, err := New(testLog).Apply(0, e)
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "epoch e2") {
		t.Errorf("a marker of another epoch: %v, want a MismatchError", err)
	}
}

func TestConnectorsHaveMembers(t *testing.T) {
	f := New(testLog)
	apply(t, f, 0, marker())
	apply(t, f, 1, join("a", 1, "c", "s1", "ann"))
	apply(t, f, 2, join("b", 1, "c", "s2", "bob"))
	apply(t, f, 3, leave("a", 2, "c", "s1", "ann"))
	if got := slices.Sorted(f.Connectors()); !slices.Equal(got, []string{"b"}) {
		t.Errorf("connectors %v, want only b", got)
	}
}

// A channel of many users takes several pushes, none of them too large, and
// what they say is complete.
//
//parley:bound a push
func TestLargeEventsAreSplit(t *testing.T) {
	const users, window = 12_000, 1 << 20
	f := New(Log{Epoch: "e1", Window: window})
	next := int64(1)
	step := func(e *schema.Event) []Out {
		out := apply(t, f, next, e)
		next++
		return out
	}
	name := func(i int) string { return fmt.Sprintf("user-%06d-%s", i, strings.Repeat("x", 80)) }
	for i := range users {
		step(join("b", uint64(i+1), "c", fmt.Sprint("s", i), name(i)))
	}
	const chats = 300_000 // of which all but one are void
	for i := range chats {
		step(chat("b", uint64(users+i+1), "c", "ann", "1", ""))
	}

	var got, voids int
	joined := step(join("a", 1, "c", "s", "zoe"))
	toA := slices.DeleteFunc(slices.Clone(joined), func(o Out) bool { return o.Push.Connector != "a" })
	for i, o := range toA {
		if n := proto.Size(o.Push); n > MaxPush || int(o.Push.Index) != i {
			t.Errorf("push %d of the join has index %d and %d bytes", i, o.Push.Index, n)
		}
		for j, u := range o.Push.Updates {
			if u.GetSnapshot().GetFirst() != (i == 0 && j == 0) {
				t.Errorf("update %d of push %d: first is %v", j, i, u.GetSnapshot().GetFirst())
			}
			got += len(u.GetSnapshot().GetUsers())
			voids += len(u.GetSnapshot().GetVoids())
		}
	}
	last := toA[len(toA)-1].Push.Updates
	if len(toA) < 4 || got != users+1 || voids != chats-1 || !last[len(last)-1].GetJoined().GetSubscribed() {
		t.Errorf("%d pushes with %d users and %d void chats, the last update is %v", len(toA), got, voids, last[len(last)-1])
	}

	got = 0
	for _, o := range step(down("b")) {
		if n := proto.Size(o.Push); n > MaxPush {
			t.Errorf("push %d of the down has %d bytes", o.Push.Index, n)
		}
		for _, u := range o.Push.Updates {
			got += len(u.GetDeparted().GetUsers())
		}
	}
	if got != users {
		t.Errorf("%d users departed, want %d", got, users)
	}
}
