package history

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Where a worker says that a channel is untouched there is no history, wherever the
// watermark is; and where there is none, it says so.
func TestUntouchedHasNoHistory(t *testing.T) {
	w := newWorld(t, modelWindow)
	w.publish(fewWords(400)...)
	w.migrate()
	var readers []*Reader
	for _, watermark := range []int64{-1, 60, 300, 400} {
		name := fmt.Sprint("cut at ", watermark)
		if watermark >= 0 {
			w.project(1, name, watermark)
		}
		readers = append(readers, w.reader(name, nil))
	}
	f := fold.New(fold.Log{Epoch: w.log.Epoch, TopicID: w.log.TopicID, Window: w.log.Window})
	said, all := 0, 0
	for seq := range int64(len(w.events)) {
		for _, untouched := range w.subscribed(f, seq) {
			q := Query{Channel: w.events[seq].Channel, Everyone: true, Mode: Newest, Limit: 1, End: seq}
			page, err := readers[int(seq)%len(readers)].Read(w.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if none := len(page.Messages) == 0; none != untouched || page.Older != "" {
				t.Errorf("at %d of %s: untouched %v, and history has %s", seq, q.Channel, untouched, brief(page))
			}
			if all++; untouched {
				said++
			}
		}
	}
	if said < 20 || all-said < 20 {
		t.Errorf("%d of %d were untouched: that shows little", said, all)
	}
}

// subscribed has the fold take an event, where a join is that of a connector of its own,
// and returns what such a one is told.
func (w *world) subscribed(f *fold.Fold, seq int64) (untouched []bool) {
	e := w.event(seq)
	switch {
	case w.events[seq].corrupt:
		f.Advance(seq + 1)
		return nil
	case seq == 0:
		e.Kind = &schema.Event_Marker{Marker: &schema.Marker{Epoch: w.log.Epoch, Format: schema.NewestFormat, Window: w.log.Window}}
	case e.GetJoin() != nil:
		e.Connector = fmt.Sprint("k", seq)
	}
	out, err := f.Apply(seq, e)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range out {
		if s := o.Push.Updates[0].GetSnapshot(); s.GetFirst() {
			untouched = append(untouched, s.Untouched)
		}
	}
	return untouched
}

// fewWords are events of many channels: little is said in each, half of it privately.
func fewWords(n int) []rpc.Message {
	r := rand.New(rand.NewPCG(3, 4))
	all := make([]rpc.Message, n)
	for i := range all {
		all[i] = rpc.Message{Channel: fmt.Sprint("c", r.IntN(n/4)), User: users[r.IntN(len(users))], ID: fmt.Sprint("id", r.IntN(3)), Body: "hi"}
		switch r.IntN(8) {
		case 0, 1, 2:
			all[i].To = users[r.IntN(len(users))]
		case 3, 4, 5:
			all[i].ID = "" // a join
		case 6:
			all[i].Body = "" // corrupt
		}
	}
	return all
}
