package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/words"
)

// hits are what a search is to find in the messages below end, as they are after all
// changes below asof: by the rule alone. Edits are searched up to the few rows that are
// written ahead of the watermark.
func (a *told) hits(s *Search, epoch string, end, asof int64) (all []Hit) {
	for _, sent := range a.messages {
		if sent.Seq >= end || sent.Time < s.From || s.To > 0 && sent.Time >= s.To ||
			!s.Everyone && !sent.VisibleTo(s.User) || s.Author != "" && sent.User != s.Author || !slices.Contains(s.Channels, sent.Channel) {
			continue
		}
		written := func(c changes.Record) bool {
			_, ok := s.Words.Find(editOf(&c))
			return ok && c.Target == sent.Seq && c.Seq < end+5
		}
		if _, ok := s.Words.Find(sent.Body); !ok && !slices.ContainsFunc(a.changes, written) {
			continue
		}
		m, _ := a.at(sent, asof)
		if at, ok := s.Words.Find(m.Body); ok {
			all = append(all, Hit{m, epoch, at})
		}
	}
	slices.SortFunc(all, func(a, b Hit) int {
		return -cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Seq, b.Seq))
	})
	return all
}

func editOf(c *changes.Record) string {
	if c.Edit == nil {
		return ""
	}
	return c.Edit.Body
}

// A search finds the fold of the log by its words, wherever the watermark is: what is
// below it, as changes above it have made it. Pages have everything once.
func TestSearchFindsTheFoldOfTheLog(t *testing.T) {
	needsNoKafka(t)
	w, all, readers, end := newTold(t)
	marks := []int64{0, 5, 60, 159, 160}
	w.exec(`INSERT INTO epochs (epoch, partitions, first_seen) SELECT ?, 1, now64(3) - 1`, w.log.Epoch)
	random := rand.New(rand.NewPCG(5, 6))
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	inRoom := 0
	for range 40 {
		i := random.IntN(len(readers))
		known := random.Int64N(end)
		s := Search{
			Words:    words.Parse(one("body", "BODY 7", "edit", "edit 3", "body edit", fmt.Sprint(random.IntN(160)))),
			Channels: []string{"lobby", one("nowhere", "room")}, User: one(users...), Everyone: random.IntN(4) == 0, Author: one("", "", "ada", "eve"),
			Limit: []int{4, 100}[random.IntN(2)], Bytes: []int{0, 40}[random.IntN(2)],
			Of: func(channel string) (Query, bool) {
				if channel == "room" { // of which nothing was changed
					return Query{End: end}, true
				}
				q := Query{End: end, KnownFrom: known}
				for _, c := range all.changes {
					if c.Seq >= known {
						q.Known = append(q.Known, c)
					}
				}
				return q, channel == "lobby"
			},
		}
		if random.IntN(2) == 0 {
			s.From, s.To = 1_790_000_000_040, 1_790_000_000_120
		}
		epoch := fmt.Sprint("cut at ", marks[i])
		want := append(all.hits(&s, epoch, marks[i]+1, end), all.hits(&s, w.log.Epoch, end, end)...)
		var got []Hit
		for more := true; more; {
			found, err := readers[i].Search(w.ctx, s)
			if err != nil || len(found.Hits) > s.Limit || found.More && found.Next == s.Before {
				t.Fatal(len(found.Hits), found.Next, err)
			}
			got, more, s.Before = append(got, found.Hits...), found.More, found.Next
		}
		inLobby := slices.DeleteFunc(slices.Clone(got), func(h Hit) bool { return h.Channel != "lobby" })
		got, inRoom = inLobby, inRoom+len(got)-len(inLobby)
		if hitsText(t, got) != hitsText(t, want) {
			t.Fatalf("%+v: %d hits:\n%s\nwant %d:\n%s", s.Words, len(got), hitsText(t, got), len(want), hitsText(t, want))
		}
	}
	if inRoom == 0 {
		t.Error("nothing is found where nothing was changed")
	}
}

// A purge of a channel in which nothing else was changed is known as well.
func TestSearchKnowsOfAPurge(t *testing.T) {
	needsNoKafka(t)
	w := newWorld(t, 12)
	w.migrate(w.log.Epoch)
	w.publish(
		rpc.Message{Channel: "lobby", ID: "a", User: "eve", Body: "spam", Time: 1},
		rpc.Message{Channel: "room", ID: "b", User: "eve", Body: "spam", Time: 2},
		rpc.Message{Channel: "room", ID: "c", User: "ada", Body: "ham", Time: 3},
	)
	w.project(1, w.log.Epoch, 3)
	w.exec(`INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, author) VALUES (?, 0, 'lobby', 0, 3, 'purge', 'eve')`, w.log.Epoch)
	found, err := w.reader(w.log.Epoch, nil).Search(w.ctx, Search{
		Words: words.Parse("spam"), Channels: []string{"lobby", "room"}, User: "ada", Limit: 20,
		Of: func(string) (Query, bool) { return Query{End: 4}, true },
	})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Channel != "room" {
		t.Errorf("%v, %v", found.Hits, err)
	}
}

// However far back and however rare they are, all are found, once and in order.
func TestSearchGoesBackInTime(t *testing.T) {
	needsNoKafka(t)
	w := newWorld(t, 12)
	w.migrate()
	w.exec(`INSERT INTO epochs (epoch, partitions, first_seen) SELECT ?, 1, toDateTime64('2015-01-01 00:00:00', 3)`, w.log.Epoch)
	const n = 120
	now, hour := time.Now().UnixMilli(), time.Hour.Milliseconds()
	sent := func(seq int) int64 { return now - int64(n-seq)*int64(n-seq)*4*hour } // six years ago at most
	seldom := func(seq int) bool { return seq%40 == 7 }
	var all []rpc.Message
	for seq := 1; seq <= n; seq++ {
		body := "often"
		if seldom(seq) {
			body = "seldom often"
		}
		all = append(all, rpc.Message{Channel: "lobby", ID: fmt.Sprint(seq), User: "ada", Body: body, Time: sent(seq)})
	}
	w.publish(all...)
	w.project(1, w.log.Epoch, n)
	for _, word := range []string{"often", "seldom"} {
		for _, limit := range []int{9, 100} {
			for _, from := range []int64{0, sent(50)} {
				s := Search{
					Words: words.Parse(word), Channels: []string{"lobby"}, User: "eve", Limit: limit, From: from,
					Of: func(string) (Query, bool) { return Query{End: n + 1}, true },
				}
				var got, want []int64
				for seq := n; seq > 0 && sent(seq) >= from; seq-- {
					if word == "often" || seldom(seq) {
						want = append(want, int64(seq))
					}
				}
				for more := true; more; {
					found, err := w.reader(w.log.Epoch, nil).Search(w.ctx, s)
					if err != nil {
						t.Fatal(err)
					}
					for _, h := range found.Hits {
						got = append(got, h.Seq)
					}
					more, s.Before = found.More, found.Next
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %d at a time, from %d: found %v, want %v", word, limit, from, got, want)
				}
			}
		}
	}
}

// While nobody has made the index, as when connectors are newer than projectors, a search
// fails: without it, other words would be found, and others not.
func TestSearchNeedsItsIndex(t *testing.T) {
	needsNoKafka(t)
	w := newWorld(t, 12)
	w.migrate(w.log.Epoch)
	w.publish(say("lobby", 3)...)
	w.project(1, w.log.Epoch, 3)
	s := Search{
		Words: words.Parse("body"), Channels: []string{"lobby"}, User: "eve", Limit: 10,
		Of: func(string) (Query, bool) { return Query{End: 4}, true },
	}
	if found, err := w.reader(w.log.Epoch, nil).Search(w.ctx, s); err != nil || len(found.Hits) != 3 {
		t.Errorf("%v, %v", found, err)
	}
	w.exec(`INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, body) SELECT ?, 0, 'lobby', 1, 4, 'edit', 'words'`, w.log.Epoch)
	for _, table := range []string{"changes_1", "events_1"} {
		w.exec(`ALTER TABLE ` + table + ` DROP INDEX by_tokens`)
		if found, err := w.reader(w.log.Epoch, nil).Search(w.ctx, s); !errors.Is(err, ErrUnavailable) {
			t.Errorf("without the index of %s: %v, error %v", table, found, err)
		}
		w.exec(`TRUNCATE TABLE changes_1`)
	}
}

func TestWider(t *testing.T) {
	for _, c := range []struct {
		found, wanted int
		want          int64
	}{{0, 21, 16}, {1, 21, 16}, {3, 21, 14}, {10, 21, 4}, {20, 21, 2}, {500, 21, 2}} {
		if got := wider(c.found, c.wanted); got != c.want {
			t.Errorf("%d of %d: %d times as much, want %d", c.found, c.wanted, got, c.want)
		}
	}
}

func hitsText(t *testing.T, hits []Hit) string {
	b, err := json.MarshalIndent(hits, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What matches in Go is a candidate in ClickHouse, which answers from the index alone.
func TestWordsAreThoseOfTheIndex(t *testing.T) {
	needsNoKafka(t)
	w := newWorld(t, 12)
	w.migrate(w.log.Epoch)
	bodies := []string{
		"Hello, Wörld! foo_bar 3.14", "iPhone手机今天天气很好，我们去", "新しいサーバーです ｻｰﾊﾞｰ", "학교에서 만나요", "วันนี้อากาศดี", "नमस्ते दुनिया",
		"STRASSE Straße ﬁn ½ Ⅳ ① İstanbul", "cafe\u0301 café", "😀 🎉 👍🏽 flag 🇩🇪", "привет-мир ΣΊΣΥΦΟΣ σίσυφος", "it's a l'école don’t", "a\u200bb x\u00adx", "က ខ ལ", "\x00'\\%_?",
		"“quoted”—dash…end\u00a0space\tand\nlines", "٣٤ x٣٤ ｗｉｄｅ＿ａ", "€5 £a×b÷c", "天a気1ー",
	}
	const alphabet = "aZ09 _-'.\u00a0\u2014\u0301éßﬁ½٣Σς天気サー한ไक😀"
	for range 60 {
		body := make([]rune, 1+rand.IntN(12))
		for i := range body {
			body[i] = []rune(alphabet)[rand.IntN(utf8.RuneCountInString(alphabet))]
		}
		bodies = append(bodies, string(body))
	}
	w.exec(`INSERT INTO events_1 (epoch, partition, channel, seq, kind, body) SELECT 'e', 0, 'bodies', n, 'chat', ?[n + 1] FROM (SELECT number AS n FROM numbers(?))`, bodies, len(bodies))
	for _, of := range bodies {
		q := words.Parse(of)
		if q.Len() == 0 {
			continue
		}
		var found []int64
		if err := w.sql.QueryRow(w.ctx, `SELECT groupArray(seq) FROM events_1 WHERE channel = 'bodies' AND hasAllTokens(body, ?)`, q.Tokens()).Scan(&found); err != nil {
			t.Fatal(err)
		}
		for i, body := range bodies {
			if _, is := q.Find(body); is && !slices.Contains(found, int64(i)) {
				t.Errorf("%q in %q is not found by tokens", of, body)
			}
		}
	}
	w.publish(say("lobby", 3000)...)
	w.project(1, w.log.Epoch, 3000)
	r := w.reader(w.log.Epoch, nil)
	s := Search{Words: words.Parse("1234"), Channels: []string{"lobby"}, User: "ada", Limit: 20}
	x := searching{Reader: r, s: &s, generation: 1}
	w.exec(`INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, body) SELECT ?, 0, 'lobby', number, number, 'edit', toString(number) FROM numbers(3000)`, w.log.Epoch)
	chats, ofChats, _ := r.store.candidatesQuery(&x, pastEpoch{name: w.log.Epoch, partitions: 1}, period{0, maxTime})
	edits, ofEdits := r.store.editedQuery(&x)
	for _, q := range []struct {
		text string
		args []any
	}{{chats, ofChats}, {edits, ofEdits}} {
		if plan := w.lines(`EXPLAIN actions = 1 `+q.text, q.args...); !strings.Contains(plan, "__text_index_by_tokens") || strings.Contains(plan, "extractAll") {
			t.Errorf("words are not found by the index alone:\n%s", plan)
		}
	}
}

// lines are those of a result of one text each.
func (w *world) lines(query string, args ...any) string {
	w.t.Helper()
	rows, err := w.sql.Query(w.ctx, query, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			w.t.Fatal(err)
		}
		all.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all.String()
}
