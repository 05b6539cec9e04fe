package history

import (
	"testing"
	"time"
)

// heavyMessages is how many messages, from 1 on, heavy writes, to which that many users
// react with "x".
const heavyMessages = 8

func heavy(w *world, users int) Query {
	w.migrate(w.log.Epoch)
	w.exec(`INSERT INTO events_1 (epoch, partition, channel, seq, kind, user, id, body, session, connector, time, version)
		SELECT ?, 0, 'lobby', number + 1, 'chat', 'ada', toString(number), 'look', 's', 'c', now64(3), 2 FROM numbers(?)`, w.log.Epoch, heavyMessages)
	w.exec(`INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, user, author, id, name, time, version)
		SELECT ?, 0, 'lobby', number % ? + 1, number + ? + 1, 'react', concat('user', toString(intDiv(number, ?))), 'ada', toString(number), 'x', now64(3), 2 FROM numbers(?)`,
		w.log.Epoch, heavyMessages, heavyMessages, heavyMessages, heavyMessages*users)
	end := int64(heavyMessages*(users+1) + 1)
	w.exec(`INSERT INTO watermarks_1 (epoch, partition, seq, format, time) VALUES (?, 0, ?, 2, now())`, w.log.Epoch, end)
	return Query{Channel: "lobby", User: "user1", Limit: heavyMessages, End: end}
}

// A page ends where it would fold more reactions than it may, but has one message at
// least; so pages bring all of them.
//
//parley:bound a read of history
func TestFoldIsBounded(t *testing.T) {
	needsNoKafka(t)
	for users, most := range map[int]int{10: heavyMessages, 10_000: maxPairs / 10_000, maxPairs + 1: 1} {
		w := newWorld(t, 12)
		q := heavy(w, users)
		r := w.reader(w.log.Epoch, nil)
		read := func(mode Mode, at int64) []int64 {
			q.Mode, q.Before, q.After, q.Around = mode, at, at, at
			page, err := r.Read(w.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			n := len(page.Messages)
			if n == 0 || n > 2*most || n > most && mode != Around {
				t.Fatalf("%d users, mode %d at %d: %d messages; want at most %d", users, mode, at, n, most)
			}
			for i := range page.Messages {
				if m := &page.Messages[i]; len(m.Reactions) != 1 || m.Reactions[0].Count != users || len(page.Mine) != n {
					t.Fatalf("%d users, at %d: reactions %v, mine %d", users, m.Seq, m.Reactions, len(page.Mine))
				}
			}
			return seqs(page)
		}
		if got := read(Newest, 0); len(got) != most || got[len(got)-1] != heavyMessages {
			t.Errorf("%d users: the newest are %v", users, got)
		}
		if most == 1 {
			continue // its reactions take long
		}
		var back, on []int64
		for at := int64(heavyMessages + 1); at > 1; {
			page := read(Before, at)
			back, at = append(page, back...), page[0]
		}
		for at := int64(0); at < heavyMessages; {
			page := read(After, at)
			on, at = append(on, page...), page[len(page)-1]
		}
		for i := range int64(heavyMessages) {
			if len(back) != heavyMessages || len(on) != heavyMessages || back[i] != i+1 || on[i] != i+1 {
				t.Fatalf("%d users: pages have %v and %v", users, back, on)
			}
		}
		if got := read(Around, 4); got[0] > 4 || got[len(got)-1] < 4 {
			t.Errorf("%d users: around 4 are %v", users, got)
		}
	}
}

// BenchmarkHeavy reads a page of messages to which 10,000 users react.
func BenchmarkHeavy(b *testing.B) {
	w := newWorld(b, 12)
	q := heavy(w, 10_000)
	r := w.reader(w.log.Epoch, nil)
	b.ReportAllocs()
	var times []time.Duration
	for b.Loop() {
		started := time.Now()
		if page, err := r.Read(w.ctx, q); err != nil || !page.More {
			b.Fatal(len(page.Messages), err)
		}
		times = append(times, time.Since(started))
	}
	report(b, times)
}
