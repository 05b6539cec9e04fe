package history

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema/rpc"
)

// The names need quoting everywhere.
var (
	channels = []string{"lobby", `o'hara \' "x" \`, "ünïcödé {a:String} ? $1"}
	users    = []string{"ada", `b'o\b`, "eve"}
)

const modelWindow = 12

// randomMessages makes chats of few users with few ids, so that many repeat
// within the window and beyond it, some private, with joins and corrupt
// records among them.
func randomMessages(n int) []rpc.Message {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]rpc.Message, n)
	for i := range all {
		m := &all[i]
		*m = rpc.Message{
			Channel: channels[r.IntN(len(channels))], User: users[r.IntN(len(users))],
			ID: fmt.Sprint("id", r.IntN(12)), Body: fmt.Sprint("body ", i, " \x00'\\"), Time: int64(i) * 7,
		}
		switch r.IntN(8) {
		case 0, 1:
			m.To = users[r.IntN(len(users))]
		case 2:
			m.Trace = "0af7651916cd43dd8448eb211c80319c"
		case 3:
			m.ID = ""
		case 4:
			if r.IntN(3) == 0 {
				m.Body = ""
			}
		}
	}
	return all
}

// answer is what a correct reader answers, made the simple way.
func (w *world) answer(q Query, from int64) Page {
	var all []rpc.Message
	for _, e := range w.events {
		if e.chat && !e.void && e.Channel == q.Channel && e.Seq >= from && e.Seq < q.End && (q.Everyone || e.VisibleTo(q.User)) {
			all = append(all, e.Message)
		}
	}
	below := func(seq int64, limit int) ([]rpc.Message, bool) {
		found := slices.DeleteFunc(slices.Clone(all), func(m rpc.Message) bool { return m.Seq >= seq })
		kept, size := 0, 0
		for i := len(found) - 1; i >= 0 && kept < limit; i-- {
			if size += len(found[i].Body); q.Bytes > 0 && size > q.Bytes && kept > 0 {
				break
			}
			kept++
		}
		return found[len(found)-kept:], len(found) > kept
	}
	above := func(seq int64, limit int) ([]rpc.Message, bool) {
		found := slices.DeleteFunc(slices.Clone(all), func(m rpc.Message) bool { return m.Seq <= seq })
		kept, size := 0, 0
		for ; kept < min(limit, len(found)); kept++ {
			if size += len(found[kept].Body); q.Bytes > 0 && size > q.Bytes && kept > 0 {
				break
			}
		}
		return found[:kept], len(found) > kept
	}
	p := Page{Asof: q.End - 1}
	switch q.Mode {
	case Newest:
		p.Messages, p.More = below(q.End, q.Limit)
	case Before:
		p.Messages, p.More = below(q.Before, q.Limit)
	case After:
		p.Messages, p.More = above(q.After, q.Limit)
		if p.Seq = max(q.After, q.End-1); p.More {
			after := slices.IndexFunc(all, func(m rpc.Message) bool { return m.Seq > q.After })
			p.Seq = all[after+len(p.Messages)].Seq - 1
		}
	case Around:
		p.Messages, p.More = below(q.Around, q.Limit/2)
		newer, more := above(q.Around-1, q.Limit-q.Limit/2)
		p.Messages, p.Newer = slices.Concat(p.Messages, newer), more
	}
	return p
}

func drawQuery(t *rapid.T, w *world) Query {
	top := int64(len(w.events))
	seq := rapid.OneOf(rapid.Int64Range(0, top+3), rapid.Just(int64(math.MaxInt64)))
	q := Query{
		Channel: rapid.SampledFrom(append([]string{"nobody's"}, channels...)).Draw(t, "channel"), Silent: rapid.Bool().Draw(t, "silent"),
		User: rapid.SampledFrom(users).Draw(t, "user"), Everyone: rapid.Bool().Draw(t, "everyone"),
		Mode:   rapid.SampledFrom([]Mode{Newest, Before, After, Around}).Draw(t, "mode"),
		Before: seq.Draw(t, "before"), After: seq.Draw(t, "after"), Around: seq.Draw(t, "around"),
		Limit: rapid.SampledFrom([]int{0, 1, 2, 3, 7, 20, 300}).Draw(t, "limit"),
		Bytes: rapid.SampledFrom([]int{0, 1, 24, 30, 100, 1000}).Draw(t, "bytes"),
		End:   rapid.Int64Range(0, top).Draw(t, "end"),
	}
	q.VoidsFrom = max(0, q.End-rapid.Int64Range(0, 2*modelWindow).Draw(t, "voids"))
	q.Voids = w.voids(q.Channel, q.VoidsFrom, q.End)
	return q
}

// Wherever the watermark is, an answer is the same as one from a list of
// all messages.
func TestReadEqualsModel(t *testing.T) {
	w := newWorld(t, modelWindow)
	w.publish(randomMessages(240)...)
	w.migrate()
	var readers []*Reader
	for _, watermark := range []int64{-1, 0, 1, 60, 100, 101, 102, 200, 228, 239, 240} {
		name := fmt.Sprint("cut at ", watermark)
		if watermark >= 0 {
			w.project(1, name, watermark)
		}
		readers = append(readers, w.reader(name, nil))
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		q := drawQuery(t, w)
		got, err := r.Read(w.ctx, q)
		if err != nil {
			t.Fatalf("%s: %v", r.cfg.Epoch.Epoch, err)
		}
		equalPages(t, got, w.answer(q, 0), r.cfg.Epoch.Epoch)
	})
}

// The log alone gives what it holds from an offset on.
func TestReadLogEqualsModel(t *testing.T) {
	w := newWorld(t, modelWindow)
	w.publish(randomMessages(240)...)
	r := w.reader(w.log.Epoch, nil)
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t, w)
		from := rapid.Int64Range(0, q.End).Draw(t, "from")
		got, err := r.ReadLog(w.ctx, q, from)
		if err != nil {
			t.Fatal(err)
		}
		equalPages(t, got, w.answer(q, from), "log")
	})
}

func equalPages(t *rapid.T, got, want Page, where string) {
	t.Helper()
	if len(got.Messages) == 0 && len(want.Messages) == 0 {
		got.Messages, want.Messages = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\ngot  %s\nwant %s", where, brief(got), brief(want))
	}
}

func brief(p Page) string {
	var seqs []int64
	for _, m := range p.Messages {
		seqs = append(seqs, m.Seq)
	}
	return fmt.Sprintf("%v more=%v newer=%v older=%q", seqs, p.More, p.Newer, p.Older)
}
