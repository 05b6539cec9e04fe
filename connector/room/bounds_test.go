package room

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// largest is a message as large as any: a body of control characters, each of
// which JSON takes six bytes for, and the longest names.
func largest(seq int64) *rpc.Message {
	name := func(n int) string { return string(bytes.Repeat([]byte{1}, n)) }
	return &rpc.Message{Channel: name(schema.MaxName), Seq: seq, ID: name(schema.MaxID), User: name(schema.MaxName), To: name(schema.MaxName), Body: name(schema.MaxBody)}
}

// sink takes everything, and counts.
type sink struct {
	frames, bytes int
	closed        int // with that code
}

func (s *sink) Send(frames []byte)       { s.frames, s.bytes = s.frames+1, s.bytes+len(frames) }
func (s *sink) Offer(frames []byte) bool { s.Send(frames); return true }
func (s *sink) Close(code int, _ string) { s.closed = code }

// plain is a dialect that adds nothing.
type plain struct{}

func (plain) AppendChat(b []byte, _ *rpc.Message, json []byte, _ int64) []byte {
	return append(b, json...)
}

func (plain) AppendPush(b []byte, method string, params any) []byte {
	return rpc.AppendPush(b, method, params)
}

func member(user string) (*Member, *sink) {
	s := new(sink)
	return &Member{User: user, Outlet: s, Dialect: plain{}}, s
}

// say applies a message from a user, private if to is not empty.
func say(t testing.TB, c *Channel, seq int64, user, to, body string) {
	t.Helper()
	m := &schema.Message{Id: "x", User: user, To: to, Body: body}
	if err := c.Apply(&schema.Push{Offset: seq}, &schema.Update{Channel: c.name, Kind: &schema.Update_Message{Message: m}}); err != nil {
		t.Fatal(err)
	}
}

// Members get no more at once than a batch, or one frame, and the channel keeps
// no more than that.
//
//parley:bound a channel's batch
func TestBatchOfAChannelIsBounded(t *testing.T) {
	for name, size := range map[string]int{"the largest messages": 6 * schema.MaxBody, "halves of a batch": BatchBytes / 2, "the smallest": 1} {
		t.Run(name, func(t *testing.T) {
			c := New("a", Options{Entries: 1})
			m, out := member("ada")
			c.Attach(m)
			c.GoLive(m)
			f := c.fans[0]
			most, frames := max(BatchBytes, size), 0
			for total := 0; total < 4*most; total += size {
				f.lay(true, func(b []byte) []byte { return append(b, make([]byte, size)...) })
				if len(f.out) > most || cap(f.out) > 2*most {
					t.Fatalf("a batch has %d bytes and room for %d, the bound is %d", len(f.out), cap(f.out), most)
				}
				frames++
			}
			if delivered := c.Flush(); delivered != frames || f.out != nil || out.bytes != frames*size {
				t.Errorf("%d of %d frames were delivered, %d bytes", delivered, frames, out.bytes)
			}
			if !c.Cut() || c.Cut() {
				t.Error("the batch was cut, which is told once")
			}
		})
	}
}

// A ring takes what docs/architecture.md says of memory, whatever its messages
// are: what it lets go is not kept by what it holds.
//
//parley:bound a ring
func TestRingTakesWhatItMay(t *testing.T) {
	for _, body := range []int{1, 500, 4096, schema.MaxBody} {
		t.Run(fmt.Sprint(body), func(t *testing.T) {
			before := inuse.Heap()
			r := ring{maxEntries: 900}
			for seq := range int64(max(30, min(2000, 16*RingBytes/(6*body)))) {
				m := largest(seq + 1)
				m.Body = m.Body[:body]
				stored := rpc.AppendMessage(nil, m)
				r.add(entry{seq: m.Seq, user: m.User, to: m.To, id: m.ID, json: stored})
			}
			heap := inuse.Heap() - before
			if len(r.entries) > 900 || r.bytes > RingBytes || heap > RingBytes*3/2+900*600 {
				t.Errorf("%d messages, %d bytes, the heap grew by %d", len(r.entries), r.bytes, heap)
			}
		})
	}
}

// What channels keep for joins in the making is bounded over all channels.
//
//parley:bound pushes that wait for joins
func TestBacklogsTogetherAreBounded(t *testing.T) {
	const channels, bound = 40, 4 << 20
	backlogs := quota.NewPool(bound, 0)
	body := strings.Repeat("x", 10_000)
	closed := 0
	for i := range channels {
		c := New(fmt.Sprint("c", i), Options{Entries: 1, Backlogs: backlogs})
		m, out := member("joins")
		c.Attach(m)
		for seq := range int64(20) {
			say(t, c, seq+1, "ada", "", body)
		}
		if used := backlogs.Used(); used > bound {
			t.Fatalf("backlogs keep %d bytes, the bound is %d", used, bound)
		}
		if out.closed == rpc.CloseSlow {
			closed++
		}
	}
	if closed == 0 || closed == channels {
		t.Errorf("%d of %d were closed", closed, channels)
	}
}

// What every join in the making has passed is not kept for them: where there is
// always one, as when many come back to a busy channel, none is closed for it.
func TestBacklogsKeepWhatJoinsNeed(t *testing.T) {
	backlogs := quota.NewPool(64<<20, 0)
	c := New("a", Options{Entries: 1, Backlogs: backlogs})
	body := strings.Repeat("x", 10_000)
	before, out := member("joins")
	c.Attach(before)
	f := c.fans[0]
	for seq := range int64(2 * BacklogBytes / len(body)) {
		next := &Member{User: "joins", Outlet: out, Dialect: plain{}}
		c.Attach(next)
		say(t, c, seq+1, "ada", "", body)
		c.Flush()
		c.Detach(before)
		c.GoLive(before)
		before = next
		if kept := len(f.backlog); kept > 1 {
			t.Fatalf("%d pushes are kept for one join that needs the newest", kept)
		}
	}
	if out.closed != 0 {
		t.Error("it was closed for what joins before it needed")
	}
	c.Detach(before)
	c.GoLive(before)
	if used := backlogs.Used(); used != 0 || len(f.backlog) > 0 {
		t.Errorf("%d pushes of %d bytes are kept for nobody", len(f.backlog), used)
	}
}
