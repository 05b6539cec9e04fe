package history

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/words"
)

// A read of the tail keeps no more in memory than its budget, whether it is of
// large messages or of many small ones, and fails beyond it.
//
//parley:bound a read of the tail
func TestTailKeepsWhatItMay(t *testing.T) {
	for name, body := range map[string]string{"the largest": strings.Repeat("x", schema.MaxBody), "the smallest": "x"} {
		t.Run(name, func(t *testing.T) {
			const budget = 8 << 20
			w := newWorld(t, 12)
			messages := say("lobby", 2*budget/(len(body)+200))
			for i := range messages {
				messages[i].Body = body
			}
			w.publish(messages...)
			r := w.reader(w.log.Epoch, func(c *Config) { c.TailBytes = budget })
			last := int64(len(w.events) - 1)

			read := func(from int64) (*tailRead, int) {
				tail := newTailRead(w.ctx, "lobby", from, last, false)
				before := inuse.Heap()
				tail.err = r.tails[0].fillInTurn(tail)
				return tail, inuse.Heap() - before
			}
			part, heap := read(last - int64(budget/(len(body)+500)))
			if kept := len(part.channels["lobby"].all); part.err != nil || kept == 0 || heap > budget*5/4 {
				t.Errorf("%d messages are kept, error %v, the heap grew by %d", kept, part.err, heap)
			}
			all, heap := read(1)
			if kept := len(all.channels["lobby"].all); !errors.Is(all.err, ErrTail) || kept < budget/2/(len(body)+500) || heap > budget*5/4 {
				t.Errorf("of all, %d messages are kept, error %v, the heap grew by %d", kept, all.err, heap)
			}
			runtime.KeepAlive(part)
		})
	}
}

// The tails of all partitions have few turns together: one more waits.
//
//parley:bound a read of the tail
func TestTailsHaveTurns(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	r := w.reader(w.log.Epoch, nil)
	many := w.reader(w.log.Epoch, func(c *Config) { c.Epoch.Partitions = 3 })
	turns := many.tails[0].turns
	for _, tail := range many.tails {
		if tail.turns != turns || cap(turns) != tailsAtOnce {
			t.Fatal("tails have turns of their own")
		}
	}
	turns = r.tails[0].turns
	for range tailsAtOnce { // others read
		turns <- struct{}{}
	}
	found := make(chan []rpc.Message, 1)
	go func() {
		q := Query{Channel: "lobby", User: "ada", Mode: Newest, Limit: 5}
		messages, err := r.tails[0].read(w.ctx, &q, span{from: 1, to: 11, limit: 5, newest: true})
		if err != nil {
			t.Error(err)
		}
		found <- messages
	}()
	select {
	case <-found:
		t.Fatal("it reads without a turn")
	case <-time.After(100 * time.Millisecond):
	}
	<-turns
	if n := len(<-found); n != 6 { // and one that shows that there are more
		t.Errorf("with a turn it finds %d messages", n)
	}
}

// What a read brings from ClickHouse and from the log is bounded in bytes of
// text before it is in memory.
//
//parley:bound a read of history
func TestReadsAreBounded(t *testing.T) {
	const bound, sent = 1 << 20, 100
	w := newWorld(t, 12)
	messages := say("lobby", sent)
	for i := range messages {
		messages[i].Body = strings.Repeat("x", schema.MaxBody)
	}
	w.publish(messages...)
	w.migrate(w.log.Epoch)
	q := w.newest("lobby", 300)
	q.Bytes, q.Before, q.Around = bound, sent, sent/2
	for _, watermark := range []int64{0, sent} { // from the log, from ClickHouse
		w.project(1, w.log.Epoch, watermark)
		r := w.reader(w.log.Epoch, nil)
		for mode, most := range map[Mode]int{Newest: bound, Before: bound, After: bound, Around: 2 * bound} {
			q.Mode = mode
			page, err := r.Read(w.ctx, q)
			text := textsOf(page.Messages)
			if err != nil || text > most || text < most-3*schema.MaxBody {
				t.Errorf("with the watermark at %d, mode %d: %d bytes of text, error %v, want about %d", watermark, mode, text, err, most)
			}
		}
	}
	r := w.reader(w.log.Epoch, nil)
	for mode := Newest; mode <= Around; mode++ {
		q.Mode = mode
		for _, s := range q.spans() {
			rows, err := r.store.rows(w.ctx, &q, s, location{generation: 1, epoch: w.log.Epoch, end: sent + 1})
			if n := textsOf(rows); err != nil || n > bound+2*schema.MaxBody || n < bound/2 {
				t.Errorf("%d messages are read of %v, error %v", len(rows), s, err)
			}
		}
	}
}

// What a search looks at and what it finds are bounded in bytes of text, and pages have
// everything.
//
//parley:bound a search
func TestSearchIsBounded(t *testing.T) {
	const bound, sent = 1 << 20, 60
	w := newWorld(t, 12)
	messages := say("lobby", sent)
	for i := range messages {
		messages[i].Body = strings.Repeat("x ", schema.MaxBody/2)
	}
	w.publish(messages...)
	w.migrate(w.log.Epoch)
	w.project(1, w.log.Epoch, sent)
	r := w.reader(w.log.Epoch, nil)
	s := Search{
		Words: words.Parse("x"), Channels: []string{"lobby"}, User: "ada", Limit: 100, Bytes: bound,
		Of: func(string) (Query, bool) { return Query{End: sent + 1, KnownFrom: sent + 1}, true },
	}
	x := searching{Reader: r, s: &s, generation: 1}
	rows, ended, err := r.store.candidates(w.ctx, &x, pastEpoch{name: w.log.Epoch, partitions: 1}, period{0, maxTime})
	if n := hitTexts(rows); err != nil || ended || n > bound+2*schema.MaxBody || n < bound/2 {
		t.Errorf("it looks at %d bytes of text, the last of all: %v, error %v", n, ended, err)
	}
	var got []int64
	for more := true; more; {
		found, err := r.Search(w.ctx, s)
		if n := hitTexts(found.Hits); err != nil || n == 0 || n > bound {
			t.Fatalf("a page has %d bytes of text, error %v", n, err)
		}
		for i := range found.Hits {
			got = append(got, found.Hits[i].Seq)
		}
		more, s.Before = found.More, found.Next
	}
	if len(got) != sent || got[0] != sent || got[sent-1] != 1 {
		t.Errorf("pages have %v", got)
	}
}

func hitTexts(hits []Hit) (n int) {
	for i := range hits {
		n += textOf(&hits[i].Message)
	}
	return n
}
