package history

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// moderated is a sanction of the lobby that is not void.
type moderated struct {
	seq, time int64
	*schema.Sanction
}

// moderate appends n random sanctions to the log, some of them twice, of the lobby and
// a few of another channel, by clocks that differ.
func (w *world) moderate(n int) (all []moderated, voids []int64) {
	w.t.Helper()
	r, window := rand.New(rand.NewPCG(5, 6)), schema.NewVoidWindow(w.log.Window)
	producer := w.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	for seq := int64(1); seq <= int64(n); seq++ {
		e := &schema.Event{Connector: "c", Counter: uint64(seq), Time: 1000 + seq + r.Int64N(40)}
		s := &schema.Sanction{Channel: one("lobby", "lobby", "lobby", "room"), User: one("ada", "Ada", "ä/b") + fmt.Sprint(r.IntN(12)), Id: fmt.Sprint("id", r.IntN(int(seq)*2))}
		s.By = &schema.Author{By: &schema.Author_User{User: "mod"}}
		if r.IntN(3) == 0 {
			s.By.By = &schema.Author_Key{Key: "bot"}
		}
		s.Action = []schema.Sanction_Action{1, 1, 1, 2, 2, 2, 3, 4, 5, 6}[r.IntN(10)]
		if s.Action <= schema.Sanction_ACTION_BAN {
			s.Reason = fmt.Sprint("why ", seq)
			if r.IntN(2) == 0 {
				s.Until = e.Time + r.Int64N(60) - 20
			}
			if r.IntN(4) == 0 {
				s.PurgeSince = new(int64)
			}
		}
		e.Kind = &schema.Event_Sanction{Sanction: s}
		void := window.Judge(seq, e)
		value, err := proto.Marshal(e)
		if err == nil {
			err = producer.Produce(0, eventlog.Record{Value: value}, func(int64, error) {})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.events = append(w.events, event{})
		switch {
		case s.Channel != "lobby":
		case void:
			voids = append(voids, seq)
		default:
			all = append(all, moderated{seq, e.Time, s})
		}
	}
	if err := producer.Flush(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	return all, voids
}

// standing are the sanctions that the first of them leave, below an offset: a mute and
// a ban are over when they are lifted or replaced, or when any sanction of their user
// follows at a time at which they have ended.
func standingOf(all []moderated, end int64) (left []rpc.Sanction) {
	for i, m := range all {
		kind := m.Action.Name()
		if m.seq >= end || kind != rpc.SanctionMute && kind != rpc.SanctionBan {
			continue
		}
		over := slices.ContainsFunc(all[i+1:], func(o moderated) bool {
			decides := o.Action == m.Action || o.Action == schema.Sanction_ACTION_LIFT || o.Action.Name() == "lift_"+kind
			return o.seq < end && o.User == m.User && (decides || m.Until != 0 && o.time >= m.Until)
		})
		if !over {
			left = append(left, rpc.Sanction{
				User: m.User, Action: kind, Until: m.Until, Reason: m.Reason, By: rpc.Author{User: m.By.GetUser(), Key: m.By.GetKey()}, Seq: m.seq,
			})
		}
	}
	slices.SortFunc(left, func(a, b rpc.Sanction) int {
		return cmp.Or(cmp.Compare(a.User, b.User), -cmp.Compare(a.Action, b.Action))
	})
	return left
}

// The pages of sanctions are what stands, wherever the watermark is.
func TestSanctionsAreThoseThatStand(t *testing.T) {
	needsNoKafka(t)
	w := newWorld(t, schema.Window)
	all, voids := w.moderate(240)
	readers := w.projected(0, 1, 150, 220, 230, 239, 240)
	if len(voids) < 5 || len(standingOf(all, 241)) < 10 {
		t.Fatalf("%d are void, %d stand: too few", len(voids), len(standingOf(all, 241)))
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		q := Query{Channel: "lobby", End: rapid.SampledFrom([]int64{1, 2, 60, 151, 160, 225, 235, 241}).Draw(t, "end"), Limit: rapid.SampledFrom([]int{1, 2, 6, 40}).Draw(t, "limit")}
		q.Bytes = rapid.SampledFrom([]int{0, 1, 400}).Draw(t, "bytes")
		q.VoidsFrom = rapid.Int64Range(0, q.End).Draw(t, "voids")
		for _, v := range voids {
			if v >= q.VoidsFrom && v < q.End {
				q.Voids = append(q.Voids, v)
			}
		}
		var found []rpc.Sanction
		for after := ""; ; after = found[len(found)-1].User {
			page, err := r.Sanctions(w.ctx, q, after)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, page.Sanctions...)
			if len(page.Sanctions) > 2*q.Limit || page.More && len(page.Sanctions) == 0 {
				t.Fatalf("a page of %d of at most %d users, more: %v", len(page.Sanctions), q.Limit, page.More)
			}
			if !page.More {
				break
			}
		}
		if want := standingOf(all, q.End); !slices.Equal(found, want) {
			t.Fatalf("end %d:\n%+v\nwant\n%+v", q.End, found, want)
		}
	})
}
