package history

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// told is what a channel's log says, without what is void, ascending.
type told struct {
	messages []rpc.Message // as they were sent
	changes  []changes.Record
	voids    []int64
}

// tell appends n random messages and changes to the log, of one channel, and a few of
// another.
func (w *world) tell(n int) *told {
	w.t.Helper()
	r, all, window := rand.New(rand.NewPCG(3, 4)), new(told), schema.NewVoidWindow(w.log.Window)
	producer := w.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	for seq := int64(1); seq <= int64(n); seq++ {
		e := randomEvent(r, seq, all.messages)
		void := window.Judge(seq, e)
		value, err := proto.Marshal(e)
		if err == nil {
			err = producer.Produce(0, eventlog.Record{Value: value}, func(int64, error) {})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.events = append(w.events, event{})
		c, is := changes.Of(seq, e)
		switch {
		case e.Channel() != "lobby":
		case void:
			all.voids = append(all.voids, seq)
		case is:
			all.changes = append(all.changes, c)
		case e.GetChat() != nil:
			all.messages = append(all.messages, messageOf(seq, e.Time, e.GetChat()))
		}
	}
	if err := producer.Flush(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func randomEvent(r *rand.Rand, seq int64, sent []rpc.Message) *schema.Event {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	id := fmt.Sprint("id", r.IntN(int(seq)*4))
	e := &schema.Event{Connector: "c", Counter: uint64(seq), Time: 1_790_000_000_000 + seq}
	by := &schema.Author{By: &schema.Author_User{User: one(users...)}}
	if r.IntN(2) == 0 {
		by.By = &schema.Author_Key{Key: "bot"}
	}
	switch k := r.IntN(24); {
	case k < 8 || len(sent) == 0:
		c := &schema.Chat{Channel: one("lobby", "lobby", "lobby", "room"), Session: "s", User: one(users...), Id: id, Body: fmt.Sprint("body ", seq)}
		if r.IntN(3) == 0 {
			c.Type, c.Data, c.Mentions, c.Info, c.Key, c.Origin = "poll", []byte(`[1]`), []string{"ada", "eve"}, []byte(`{"n":1}`), "bot", schema.Origin_ORIGIN_BACKEND
		}
		if r.IntN(4) == 0 {
			c.To = one(users...)
		}
		if len(sent) > 0 && r.IntN(2) == 0 {
			c.Reply = sent[r.IntN(min(3, len(sent)))].Seq
		}
		e.Kind = &schema.Event_Chat{Chat: c}
	case k == 8:
		e.Kind = &schema.Event_Purge{Purge: &schema.Purge{Channel: "lobby", User: one(users...), By: by, Id: id, Since: max(0, seq-r.Int64N(12)), Reason: "spam"}}
	case k == 9:
		since := max(0, seq-r.Int64N(12))
		s := &schema.Sanction{Channel: "lobby", User: one(users...), By: by, Id: id, Action: schema.Sanction_ACTION_BAN}
		if r.IntN(2) == 0 {
			s.PurgeSince = &since
		}
		e.Kind = &schema.Event_Sanction{Sanction: s}
	default:
		m := sent[r.IntN(len(sent))]
		e.Kind = &schema.Event_Change{Change: randomChange(r, id, &m, one)}
	}
	return e
}

func randomChange(r *rand.Rand, id string, m *rpc.Message, one func(...string) string) *schema.Change {
	c := &schema.Change{Channel: "lobby", Session: "s", User: one(users...), Id: id, Target: m.Seq, Author: m.User, To: m.To}
	switch r.IntN(12) {
	case 0:
		c.Act = &schema.Change_Delete{Delete: &schema.Delete{Reason: "why"}}
	case 1, 2, 3, 4:
		edit := &schema.Edit{Body: fmt.Sprint("edit ", r.IntN(1000))}
		if r.IntN(2) == 0 {
			edit.Type = proto.String(one("", "card"))
		}
		if r.IntN(2) == 0 {
			edit.Data = []byte(one("", `{"a":1}`))
		}
		c.Act = &schema.Change_Edit{Edit: edit}
	default:
		c.Act = &schema.Change_React{React: &schema.React{Name: one("+", "-", "ö'"), Remove: r.IntN(3) == 0}}
	}
	return c
}

// projected has the projector write all rows, and returns readers of copies that end at
// watermarks, as if it had come that far in each. Every second copy is without the
// indices until it is merged, as rows are that were there before them.
func (w *world) projected(marks ...int64) (readers []*Reader) {
	w.t.Helper()
	p, err := projector.New(projector.Config{
		Base: roles.Base{Kafka: eventlog.Config{Brokers: []string{w.broker}}}, ClickHouse: w.dsn, BatchAge: 20 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for last := int64(len(w.events) - 1); ; time.Sleep(10 * time.Millisecond) {
		if found, err := w.db.Watermarks(w.ctx, w.log.Epoch); err == nil && found[0] >= last {
			break
		}
		if w.ctx.Err() != nil {
			w.t.Fatal("the projector does not come to the end")
		}
	}
	stop()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
	for i, mark := range marks {
		name := fmt.Sprint("cut at ", mark)
		for _, table := range []string{"events_1", "changes_1"} {
			w.exec(`INSERT INTO `+table+` SELECT * REPLACE(? AS epoch) FROM (SELECT * FROM `+table+` WHERE epoch = ? AND seq <= ?)
				SETTINGS materialize_skip_indexes_on_insert = ?`, name, w.log.Epoch, mark+5, i%2)
		}
		w.exec(`INSERT INTO watermarks_1 (epoch, partition, seq, format, time) VALUES (?, 0, ?, 2, now())`, name, mark)
		readers = append(readers, w.reader(name, nil))
	}
	return readers
}

// newTold is a log with events of all kinds, and readers with the watermark at its
// beginning, within it and at its end.
func newTold(t *testing.T) (w *world, all *told, readers []*Reader, end int64) {
	w = newWorld(t, schema.Window)
	all = w.tell(160)
	return w, all, w.projected(0, 5, 60, 159, 160), int64(len(w.events))
}

// query draws a query that knows of changes, and of what is void, or does not.
func (a *told) query(t *rapid.T, end int64) Query {
	q := Query{
		Channel: "lobby", User: rapid.SampledFrom(users).Draw(t, "user"), Everyone: rapid.Bool().Draw(t, "everyone"),
		States: true, End: rapid.Int64Range(1, end).Draw(t, "end"),
		Limit: rapid.SampledFrom([]int{1, 2, 7, 20, 300}).Draw(t, "limit"), Bytes: rapid.SampledFrom([]int{0, 1, 30, 200}).Draw(t, "bytes"),
	}
	q.VoidsFrom, q.KnownFrom = rapid.Int64Range(0, q.End).Draw(t, "voids"), rapid.Int64Range(0, q.End).Draw(t, "known")
	for _, v := range a.voids {
		if v >= q.VoidsFrom && v < q.End {
			q.Voids = append(q.Voids, v)
		}
	}
	for _, c := range a.changes {
		if c.Seq >= q.KnownFrom && c.Seq < q.End {
			q.Known = append(q.Known, c)
		}
	}
	return q
}

// walked is how many pages a walk has at most: each is of many queries, and where it
// begins and how large they are is drawn.
const walked = 12

// at is a message as all changes below end have made it.
func (a *told) at(m rpc.Message, end int64) (rpc.Message, *changes.State) {
	state, of := new(changes.State), changes.Message{Seq: m.Seq, User: m.User}
	for i := range a.changes {
		if c := &a.changes[i]; c.Seq < end && c.Hits(&of) {
			state.Add(&of, &c.Change)
		}
	}
	state.Show(&m)
	return m, state
}

func text(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// check compares the messages of a page with the log: all that the query asks for, from
// the first to the last, as they are at its end.
func (a *told) check(t *rapid.T, q *Query, p *Page) {
	if p.Asof != q.End-1 || len(p.States) != len(p.Messages) {
		t.Fatalf("as of %d of %d, %d states of %d", p.Asof, q.End, len(p.States), len(p.Messages))
	}
	if len(p.Messages) == 0 {
		return
	}
	first, last := p.Messages[0].Seq, p.Messages[len(p.Messages)-1].Seq
	var want []rpc.Message
	var mine []rpc.Mine
	for _, sent := range a.messages {
		if sent.Seq < first || sent.Seq > last || !q.wants(&sent) {
			continue
		}
		m, state := a.at(sent, q.End)
		if want = append(want, m); !q.Everyone && len(state.Mine(q.User)) > 0 {
			mine = append(mine, rpc.Mine{Seq: m.Seq, Names: state.Mine(q.User)})
		}
		if i := len(want) - 1; i < len(p.States) && (p.States[i].Edits() != state.Edits() || p.States[i].Pairs() != state.Pairs()) {
			t.Fatalf("the state of %d has %d edits and %d pairs, want %d, %d", m.Seq, p.States[i].Edits(), p.States[i].Pairs(), state.Edits(), state.Pairs())
		}
	}
	if got, want := text(t, p.Messages), text(t, want); got != want {
		t.Fatalf("\n%s\nwant\n%s", got, want)
	}
	if text(t, p.Mine) != text(t, mine) {
		t.Fatalf("mine: %s, want %s", text(t, p.Mine), text(t, mine))
	}
}

// What history tells is the fold of the log, wherever the watermark is and whatever is
// known, and pages that go on where the one before ended have everything once.
func TestPagesAreTheFoldOfTheLog(t *testing.T) {
	needsNoKafka(t)
	w, all, readers, end := newTold(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		q := all.query(t, end)
		if rapid.Bool().Draw(t, "few") {
			q.Reply, q.Author = rapid.SampledFrom([]int64{0, all.messages[0].Seq, all.messages[1].Seq}).Draw(t, "reply"), rapid.SampledFrom(users).Draw(t, "author")
		}
		var found []int64
		pages, more := 0, false
		for q.Mode, q.Before = Newest, q.End; ; q.Mode = Before {
			p, err := r.Read(w.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			all.check(t, &q, &p)
			found = append(seqs(p), found...)
			pages++
			if more = p.More; !more || pages == walked {
				break
			}
			if q.Before = p.Next; !q.few() {
				q.Before = p.Messages[0].Seq
			}
		}
		var want []int64
		for i := range all.messages {
			if m := &all.messages[i]; m.Seq < q.End && q.wants(m) {
				want = append(want, m.Seq)
			}
		}
		if more { // what is older was not asked for
			want = want[max(0, len(want)-len(found)):]
		}
		if !slices.Equal(found, want) {
			t.Fatalf("pages have %v, want %v", found, want)
		}
	})
}

// Who reacts is told page by page, and what the ring is filled with are all changes.
func TestReactorsAndRecords(t *testing.T) {
	needsNoKafka(t)
	w, all, readers, end := newTold(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		q := all.query(t, end)
		m := rapid.SampledFrom(all.messages).Draw(t, "message")
		var got, want []rpc.UserReaction
		of := Reactors{Target: m.Seq, Name: rapid.SampledFrom([]string{"", "+"}).Draw(t, "name")}
		for more := true; more; {
			found, err := r.Reactors(w.ctx, q, of)
			if err != nil || len(found.Users) > q.Limit {
				t.Fatal(len(found.Users), err)
			}
			if got, more = append(got, found.Users...), found.More; more {
				of.After = found.Users[len(found.Users)-1]
			}
		}
		on := map[rpc.UserReaction]bool{}
		for _, c := range all.changes {
			if c.Target == m.Seq && c.React != nil && c.Seq < q.End && (of.Name == "" || of.Name == c.React.Name) {
				on[rpc.UserReaction{Name: c.React.Name, User: c.User}] = !c.React.Remove
			}
		}
		for u, there := range on {
			if there {
				want = append(want, u)
			}
		}
		if slices.SortFunc(want, compareReactors); !slices.Equal(got, want) {
			t.Fatalf("%v react, want %v", got, want)
		}
		q.Records, q.Everyone = true, true
		p, err := r.Read(w.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var records, told []string
		for i := range all.changes {
			if c := &all.changes[i]; c.Seq >= p.RecordsFrom && c.Seq < q.End {
				told = append(told, recordText(t, c))
			}
		}
		for i := range p.Records {
			records = append(records, recordText(t, &p.Records[i]))
		}
		if !slices.Equal(records, told) || p.RecordsFrom > math.MaxInt32 {
			t.Fatalf("from %d on:\n%v\nwant\n%v", p.RecordsFrom, records, told)
		}
	})
}

func recordText(t *rapid.T, c *changes.Record) string {
	return text(t, c.Wire("")) + text(t, c.React) + c.Author
}
