package fold

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// sanctioned has the fold take n sanctions, half of them mutes, of users who are not
// there, as they come from the log: none shares memory with another.
func sanctioned(t testing.TB, f *Fold, from int64, channel string, n int) (next int64) {
	t.Helper()
	for i := range n {
		s := &schema.Sanction{
			Channel: channel, User: fmt.Sprintf("user-%011d", i), By: &schema.Author{By: &schema.Author_User{User: "moderator-000001"}},
			Id: fmt.Sprint(i), Action: schema.Sanction_ACTION_MUTE, Until: 1_800_000_000_000, Reason: strings.Repeat("spam ", 8),
		}
		if i%2 > 0 {
			s.Action, s.Until = schema.Sanction_ACTION_BAN, 0
		}
		e := &schema.Event{Connector: "elsewhere", Counter: uint64(from), Time: 1, Kind: &schema.Event_Sanction{Sanction: s}}
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		read := new(schema.Event)
		if err := proto.Unmarshal(value, read); err != nil {
			t.Fatal(err)
		}
		apply(t, f, from, read)
		from++
	}
	return from
}

func format2(log Log) *Fold {
	f := New(log)
	f.format.InForce = 2
	return f
}

// BenchmarkSanctions is what a worker keeps of a mute or a ban: 200,000, as many as a
// partition takes, in 20 channels, each with a reason of 40 bytes. 16 of them are the
// name of the user, as many that of the moderator.
func BenchmarkSanctions(b *testing.B) {
	const channels, each = 20, 10_000
	for b.Loop() {
		before := inuse.Heap()
		f := format2(Log{Epoch: "e1", Window: 1})
		next := int64(1)
		for i := range channels {
			next = sanctioned(b, f, next, fmt.Sprint("c", i), each)
		}
		f.dirty = newDirtyKeys() // as after a checkpoint
		per := float64(inuse.Heap()-before) / (channels * each)
		b.ReportMetric(per, "B/sanction")
		if per > 400 {
			b.Errorf("a sanction takes %.0f bytes", per)
		}
		runtime.KeepAlive(f)
	}
}

// A join is pushed to a channel of 10,000 with 1,000 sanctions as to one without: the
// list is not in it.
func TestSanctionsMakeNoJoinLarger(t *testing.T) {
	size := func(sanctions int) (bytes int) {
		f := format2(Log{Epoch: "e1", Window: schema.Window})
		next := int64(1)
		for i := range 10_000 {
			apply(t, f, next, join("a", uint64(i+1), "c", fmt.Sprint("s", i), fmt.Sprintf("user-%011d", 1_000_000+i)))
			next++
		}
		next = sanctioned(t, f, next, "c", sanctions)
		for _, o := range apply(t, f, next, join("b", 1, "c", "sb", "user-00000000000")) {
			if o.Push.Connector == "b" {
				bytes += proto.Size(o.Push)
			}
		}
		return bytes
	}
	without, with := size(0), size(1000)
	t.Logf("without: %d bytes, with 1,000 sanctions: %d", without, with)
	if without < 10_000*16 || with > without+2<<10 || with == without {
		t.Errorf("without: %d bytes, with 1,000 sanctions: %d", without, with)
	}
}
