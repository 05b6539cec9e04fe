package connector

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// What one event brings comes at one seq: the sanction to moderators and to its user,
// the purge and who left to all, and last to its user that they are out.
func TestOrderOfABan(t *testing.T) {
	t.Parallel()
	r := newFoldRig(t)
	mo, eve, bob := r.enters("mo", "moderate"), r.enters("eve"), r.enters("bob")
	for _, c := range []*client{mo, eve, bob} {
		c.joins()
	}
	mo.hears(`"joined"`, `"joined"`)
	eve.hears(`"joined"`)
	until := time.Now().Add(time.Hour).UnixMilli()
	seq := r.offset
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_BAN, Until: until, Reason: "spam", PurgeSince: proto.Int64(2)})
	at := fmt.Sprintf(`"params":{"channel":"a","seq":%d,`, seq)
	sanctioned := `"sanctioned",` + at + fmt.Sprintf(`"user":"eve","action":"ban","until":%d,"reason":"spam","by":{"user":"mo"},"time":`, until)
	changed, left := `"changed",`+at+`"by":{"user":"mo"}`, `"left",`+at+`"user":"eve"`
	mo.hears(sanctioned, changed, left)
	bob.hears(changed, left)
	eve.hears(sanctioned, changed, left, `"removed",`+at+fmt.Sprintf(`"reason":"banned","until":%d}`, until))
	for _, c := range []*client{mo, eve, bob} {
		c.hearsNothing()
	}
}

// Whoever is banned cannot join: nobody sees or counts them, and what they asked for
// with the join is refused.
func TestBannedUserJoins(t *testing.T) {
	t.Parallel()
	r := newFoldRig(t)
	bob, eve := r.enters("bob"), r.enters("eve")
	bob.joins()
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_BAN, Reason: "spam"})
	refused := `"error":{"code":1009,"message":"sanctioned: the user is banned from this channel","data":{"action":"ban","reason":"spam"}}`
	for id := 10; id <= 16; id += 6 {
		eve.asks("join", "chat", "members", "leave", "join", "leave")
		eve.keepsBack(3)
		r.passes("join")
		eve.hears(
			fmt.Sprintf(`"id":%d,`, id)+refused, fmt.Sprintf(`"id":%d,`, id+1)+refused, fmt.Sprintf(`"id":%d,"error":{"code":1003`, id+2),
			fmt.Sprintf(`"id":%d,"result":{}`, id+3), fmt.Sprintf(`"id":%d,`, id+4)+refused, fmt.Sprintf(`"id":%d,"result":{}`, id+5))
		bob.asks("members")
		bob.hears(`"count":1}`)
		if reason := r.passes("leave").GetLeave().Reason; reason != schema.Reason_REASON_BANNED {
			t.Errorf("they leave because of %v", reason)
		}
		eve.is(absent)
	}
	bob.hearsNothing()
	r.says("not for eve")
	eve.hearsNothing()
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_LIFT_BAN})
	eve.joins()
	bob.hears(`"not for eve"`, `"joined","params":{"channel":"a","seq":`)
}

// A banned user whose connection ends before their join passes is seen by nobody
// either, and their leave says why where it need not wait.
func TestBannedUserIsGone(t *testing.T) {
	t.Parallel()
	r := newFoldRig(t)
	bob, eve := r.enters("bob"), r.enters("eve")
	bob.joins()
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_BAN})
	eve.asks("join")
	eve.is(joining)
	eve.s.mu.Lock()
	op := eve.s.places["a"].ops[0]
	eve.s.mu.Unlock()
	eve.s.places["a"].expireJoin(op)
	eve.hears(`"code":1007`)
	r.passes("join")
	if reason := r.passes("leave").GetLeave().Reason; reason != schema.Reason_REASON_BANNED {
		t.Errorf("they leave because of %v", reason)
	}
	eve.asks("join")
	eve.is(joining)
	eve.isCut()
	r.passes("join")
	eve.s.leaveAll(time.Now().Add(time.Minute))
	r.passes("leave")
	eve.isGone()
	bob.hearsNothing()
}

// The result of a join says that its user is muted, until that has ended.
func TestJoinOfAMutedUser(t *testing.T) {
	t.Parallel()
	r := newFoldRig(t)
	until := time.Now().Add(time.Hour).UnixMilli()
	mute := &schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_MUTE, Until: until, Reason: "noise"}
	r.moderates(mute)
	eve, bob := r.enters("eve"), r.enters("bob")
	said := fmt.Sprintf(`"sanction":{"user":"eve","action":"mute","until":%d,"reason":"noise","by":{"user":"mo"},"seq":1}`, until)
	eve.asks(rpc.MethodJoin)
	r.passes("join")
	eve.hears(said)
	eve.is(live)
	eve.asks(rpc.MethodJoin) // again
	eve.hears(said)
	bob.asks(rpc.MethodJoin)
	r.passes("join")
	eve.hears(`"joined"`)
	r.inc.now = func() time.Time { return time.UnixMilli(until) }
	eve.asks(rpc.MethodJoin)
	eve.hears(`"settings":{"slow":0,"frozen":false,"topic":"","data":null,"pins":[]},"partition"`)
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_LIFT_MUTE})
	eve.hears(`"user":"eve","action":"lift","lifted":"mute","by":`)
	bob.hears(`"settings":{"slow":0,"frozen":false,"topic":"","data":null,"pins":[]},"partition"`)
	bob.hearsNothing()
}

// Who is told what moderators are changes with their grants, without a join.
func TestModeratorsAreToldAsLongAsTheyAre(t *testing.T) {
	t.Parallel()
	r := newFoldRig(t)
	ada := r.enters("ada")
	ada.joins()
	mutes := func() { r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_MUTE}) }
	hello := func(allow ...any) {
		t.Helper()
		answer := answerTo(t, ada.ws, helloWith(tokenAllowing(t, "ada", allow...)))
		if len(answer) == 0 {
			t.Fatal("no answer")
		}
	}
	mutes()
	ada.hearsNothing()
	hello("*", "moderate")
	mutes()
	ada.hears(`"sanctioned"`)
	hello("*")
	mutes()
	ada.hearsNothing()
}
