package projector

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/sql"
)

// acts are what people do with messages, at random.
type acts struct {
	*rand.Rand
	n int64
}

func (a *acts) one(of ...string) string { return of[a.IntN(len(of))] }
func (a *acts) user() string            { return a.one("ada", "bob", "eve") }

// event is the next event at an offset.
func (a *acts) event(offset int64) *schema.Event {
	a.n++
	id := fmt.Sprint("id", a.IntN(int(a.n)*6)) // some are repeats
	by := &schema.Author{By: &schema.Author_User{User: a.user()}}
	since := a.Int64N(offset + 1)
	e := &schema.Event{Connector: "c", Counter: uint64(a.n), Time: 1_790_000_000_000 + a.n}
	switch a.IntN(12) {
	case 0, 1, 2, 3:
		c := &schema.Chat{Channel: "lobby", Session: "s", User: a.user(), Id: id, Body: "hi", To: a.one("", "", "bob"), Info: []byte(a.one("", `{"name":"x"}`))}
		if a.IntN(2) == 0 {
			c.Type, c.Data, c.Reply, c.Mentions = "poll", []byte(`[1]`), offset, []string{"bob", "eve"}
		}
		e.Kind = &schema.Event_Chat{Chat: c}
	case 4:
		e.Kind = &schema.Event_Purge{Purge: &schema.Purge{Channel: "lobby", User: a.user(), By: by, Id: id, Since: offset - a.Int64N(9), Reason: "spam"}}
	case 5:
		s := &schema.Sanction{Channel: "lobby", User: a.user(), By: by, Id: id, Action: schema.Sanction_ACTION_BAN, Until: 9}
		if a.IntN(9) == 0 {
			s.PurgeSince = &since
		}
		e.Kind = &schema.Event_Sanction{Sanction: s}
	default:
		e.Kind = &schema.Event_Change{Change: a.change(id, max(1, offset-a.Int64N(20)))}
	}
	return e
}

func (a *acts) change(id string, target int64) *schema.Change {
	c := &schema.Change{Channel: "lobby", Session: "s", User: a.user(), Id: id, Target: target, Author: "ada", Moderator: true}
	switch a.IntN(8) {
	case 0:
		c.Act = &schema.Change_Delete{Delete: &schema.Delete{Reason: "why"}}
	case 1, 2, 3:
		edit := &schema.Edit{Body: fmt.Sprint("edit ", a.n)}
		if a.IntN(2) == 0 {
			edit.Type = proto.String(a.one("", "text", "card"))
		}
		if a.IntN(2) == 0 {
			edit.Data = []byte(a.one("", "null", `{"a":1}`))
		}
		c.Act = &schema.Change_Edit{Edit: edit}
	default:
		c.Act = &schema.Change_React{React: &schema.React{Name: a.one("+", "-"), Remove: a.IntN(3) == 0}}
	}
	return c
}

// The view of messages shows what schema/changes makes of the same log.
func TestMessagesAfterTheirChanges(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	for seed := range uint64(partitions) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a := &acts{Rand: rand.New(rand.NewPCG(seed, 0))}
			partition := int(seed)
			f := newRowBuilder(s.log, partition, watermark{seq: -1, format: 2})
			window := schema.NewVoidWindow(s.log.Window)
			sent, records := map[int64]*schema.Chat{}, []changes.Record(nil)
			for offset := int64(1); offset <= 300; offset++ {
				e := a.event(offset)
				value, err := proto.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.apply(&eventlog.Record{Offset: offset, Value: value}); err != nil {
					t.Fatal(err)
				}
				if window.Judge(offset, e) {
					continue
				}
				if c := e.GetChat(); c != nil {
					sent[offset] = c
				}
				if r, is := changes.Of(offset, e); is {
					records = append(records, r)
				}
			}
			made, _ := f.drain()
			b := newBlock()
			b.add(int32(partition), made)
			for range 2 { // a batch may be written twice
				if err := st.write(s.ctx, b); err != nil {
					t.Fatal(err)
				}
			}
			shown := s.messages(partition)
			if len(shown) != len(sent) {
				t.Errorf("%d messages are shown, %d were sent", len(shown), len(sent))
			}
			for seq, c := range sent {
				if got, want := shown[seq], after(seq, c, records); got != want {
					t.Errorf("%d:\ngot  %s\nwant %s", seq, got, want)
				}
			}
		})
	}
}

// after is what a message shows after changes.
func after(seq int64, c *schema.Chat, records []changes.Record) string {
	var state changes.State
	of := changes.Message{Seq: seq, User: c.User}
	for i := range records {
		if r := &records[i]; r.Hits(&of) {
			state.Add(&of, &r.Change)
		}
	}
	m := rpc.Message{Body: c.Body, Type: c.Type, Data: c.Data, Reply: c.Reply, Mentions: c.Mentions}
	state.Show(&m)
	edited, deleted, reactions := int64(0), int64(0), map[string]uint64{}
	if m.Edited != nil {
		edited = m.Edited.Seq
	}
	if m.Deleted != nil {
		deleted = m.Deleted.Seq
	}
	for _, r := range m.Reactions {
		reactions[r.Name] = uint64(r.Count)
	}
	return fmt.Sprintf("%q %q %q %d %q %q %d %d %v", m.Body, m.Type, m.Data, m.Reply, m.Mentions, c.Info, edited, deleted, reactions)
}

// messages are what the view shows of a partition, by seq.
func (s *system) messages(partition int) map[int64]string {
	s.t.Helper()
	rows, err := s.sql.Query(s.ctx, `SELECT seq, body, type, data, reply, mentions, info, edited, deleted, reactions FROM `+sql.Messages(1)+` WHERE partition = ?`, partition)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	shown := map[int64]string{}
	for rows.Next() {
		var seq, reply, edited, deleted int64
		var body, kind, data, info string
		var mentions []string
		var reactions map[string]uint64
		if err := rows.Scan(&seq, &body, &kind, &data, &reply, &mentions, &info, &edited, &deleted, &reactions); err != nil {
			s.t.Fatal(err)
		}
		shown[seq] = fmt.Sprintf("%q %q %q %d %q %q %d %d %v", body, kind, data, reply, mentions, info, edited, deleted, reactions)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return shown
}

// Each kind of format 2 is a row, with what the event says.
func TestRowsOfFormat2(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	user, key := &schema.Author{By: &schema.Author_User{User: "ada"}}, &schema.Author{By: &schema.Author_Key{Key: "shop"}}
	frozen, since, slow, topic := false, int64(0), int64(0), ""
	cases := []struct {
		kind any
		want string
	}{
		{&schema.Event_Join{Join: &schema.Join{Channel: "lobby", Session: "s", User: "ada", Info: []byte(`{}`)}}, "('join','ada','','','','{}','client','','','',0,[],'',0,'',0,'',0,'',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Chat{Chat: &schema.Chat{
			Channel: "lobby", User: "ada", Id: "1", Body: "b", Info: []byte(`{}`), Type: "poll", Data: []byte("[1]"), Reply: 3,
			Mentions: []string{"bob"}, Origin: schema.Origin_ORIGIN_BACKEND, Key: "shop",
		}}, "('chat','ada','1','b','','{}','backend','shop','poll','[1]',3,['bob'],'',0,'',0,'',0,'',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Change{Change: &schema.Change{
			Channel: "lobby", User: "ada", Id: "2", Target: 2, Author: "bob", Moderator: true,
			Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "c", Type: proto.String(""), Data: []byte{}}},
		}}, "('change','ada','2','c','','','client','','text','null',0,[],'edit',2,'bob',1,'',0,'',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Change{Change: &schema.Change{
			Channel: "lobby", User: "ada", Id: "3", Target: 2, Author: "bob", Key: "shop", Origin: schema.Origin_ORIGIN_BACKEND,
			Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: "why"}},
		}}, "('change','ada','3','','why','','backend','shop','','',0,[],'delete',2,'bob',0,'',0,'',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Change{Change: &schema.Change{
			Channel: "lobby", User: "ada", Id: "4", Target: 2, Author: "bob", Act: &schema.Change_React{React: &schema.React{Name: "+", Remove: true}},
		}}, "('change','ada','4','','','','client','','','',0,[],'react',2,'bob',0,'+',1,'',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Pin{Pin: &schema.Pin{Channel: "lobby", By: user, Id: "5", Target: 2, Remove: true}},
			"('pin','','5','','','','client','','','',0,[],'',2,'',0,'',1,'ada',0,NULL,NULL,NULL,NULL)"},
		{&schema.Event_Sanction{Sanction: &schema.Sanction{Channel: "lobby", User: "eve", By: key, Id: "6", Action: schema.Sanction_ACTION_BAN, Until: 9, Reason: "why", PurgeSince: &since}},
			"('sanction','eve','6','','why','','backend','shop','','',0,[],'ban',0,'',0,'',0,'',9,0,NULL,NULL,NULL)"},
		{&schema.Event_Purge{Purge: &schema.Purge{Channel: "lobby", User: "eve", By: user, Id: "7", Since: 2, Reason: "why"}},
			"('purge','eve','7','','why','','client','','','',0,[],'',0,'',0,'',0,'ada',0,2,NULL,NULL,NULL)"},
		{&schema.Event_Set{Set: &schema.Set{Channel: "lobby", By: user, Id: "8", Slow: &slow, Frozen: &frozen, Topic: &topic, Data: []byte{}}},
			"('set','','8','','','','client','','','null',0,[],'',0,'',0,'',0,'ada',0,NULL,0,0,'')"},
	}
	f := newRowBuilder(s.log, 0, watermark{seq: 0, format: 2})
	for i, c := range cases {
		e := &schema.Event{Connector: "c", Counter: uint64(i + 1), Time: 9}
		reflect.ValueOf(e).Elem().FieldByName("Kind").Set(reflect.ValueOf(c.kind))
		value, err := proto.Marshal(e)
		if err == nil {
			err = f.apply(&eventlog.Record{Offset: int64(i + 1), Value: value})
		}
		if err != nil {
			t.Fatal(i, err)
		}
	}
	made, _ := f.drain()
	b := newBlock()
	b.add(0, made)
	if err := st.write(s.ctx, b); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		var got string
		err := s.sql.QueryRow(s.ctx, `SELECT toString(tuple(kind, user, id, body, reason, "`+strings.Join(moreColumns, `", "`)+`")) FROM `+sql.Events(1)+` WHERE seq = ?`, i+1).Scan(&got)
		if err != nil || got != c.want {
			t.Errorf("%d: error %v\ngot  %s\nwant %s", i+1, err, got, c.want)
		}
	}
}

// A batch that is written in part has no message without what was done to it there:
// of an epoch that is over, rows without a watermark are read, too.
func TestChangesComeBeforeTheirMessages(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	deletion := &schema.Change{Channel: "lobby", Session: "s", User: "ada", Id: "d", Author: "ada", Act: &schema.Change_Delete{Delete: &schema.Delete{}}}
	deletion.Target = s.publish(0, chats("lobby", 0, 1)...)[0]
	offsets := s.publish(0, &schema.Event{Connector: "c", Counter: 2, Time: 1_790_000_000_000, Kind: &schema.Event_Change{Change: deletion}})
	f := newRowBuilder(s.log, 0, watermark{seq: -1})
	s.fold(f, 0, 0, offsets[0]+1)
	made, _ := f.drain()
	b := newBlock()
	b.add(0, made)
	s.drop("events_1")
	if err := st.insertRows(s.ctx, b); !clickhouse.IsMissing(err) {
		t.Errorf("rows of dropped events: error %v, want a missing table", err)
	}
	if n := s.count("SELECT count() FROM changes_1"); n != 1 {
		t.Errorf("%d changes are written, want 1", n)
	}
}
