package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Changes are judged by what is in the log, the commands right before them included:
// by author and others, of what is there and what is not.
func TestChanges(t *testing.T) {
	for where, age := range map[string]time.Duration{"in ClickHouse": time.Millisecond, "in the log alone": time.Hour} {
		t.Run(where, func(t *testing.T) { testChanges(t, age) })
	}
}

// testChanges has the projector write what is that old.
func testChanges(t *testing.T, age time.Duration) {
	s := newSystem(t)
	s.project(age)
	s.start()
	do := func(method, params string) (e *schema.Event, code string) {
		t.Helper()
		before := len(s.events("a"))
		offset := s.command(0, `{"method":%q,"params":{"channel":"a",%s}}`, method, params)
		s.done(0, offset)
		if r, is := s.rejections()[fmt.Sprintf("0/%d", offset)]; is {
			return nil, header(&r, headerCode)
		}
		all := s.events("a")
		if len(all) != before+1 {
			t.Fatalf("%s %s has made %d events", method, params, len(all)-before)
		}
		return all[before].Event, ""
	}
	do("publish", `"user":"ada","body":"hello"`)
	do("publish", `"user":"ada","to":"bob","body":"psst"`)
	all := s.events("a")
	public, private := all[0].seq, all[1].seq
	if e, _ := do("edit", fmt.Sprintf(`"user":"ada","seq":%d,"body":"better"`, public)); e.GetChange().Author != "ada" || e.GetChange().Moderator || e.GetChange().Key != DefaultKey {
		t.Errorf("an edit by the author is %v", e)
	}
	if e, _ := do("edit", fmt.Sprintf(`"user":"mod","seq":%d,"body":"best"`, public)); !e.GetChange().Moderator {
		t.Errorf("an edit by another is %v", e)
	}
	if e, _ := do("react", fmt.Sprintf(`"user":"bob","seq":%d,"name":"+1"`, private)); e.GetChange().To != "bob" {
		t.Errorf("a reaction to a private message is %v", e)
	}
	if _, code := do("react", fmt.Sprintf(`"user":"eve","seq":%d,"name":"+1"`, private)); code != fmt.Sprint(rpc.CodeGone) {
		t.Errorf("a reaction to what eve cannot see is answered %s", code)
	}
	if _, code := do("pin", fmt.Sprintf(`"seq":%d`, private)); code != fmt.Sprint(rpc.CodeGone) {
		t.Errorf("a pin of a private message is answered %s", code)
	}
	if e, _ := do("pin", fmt.Sprintf(`"seq":%d`, public)); e.GetPin().By.GetKey() != DefaultKey {
		t.Errorf("a pin is %v", e)
	}
	if e, code := do("delete", fmt.Sprintf(`"user":"ada","seq":%d`, public)); code != "" || e.GetChange().GetDelete() == nil {
		t.Errorf("a deletion is %v %s", e, code)
	}
	if _, code := do("edit", fmt.Sprintf(`"user":"ada","seq":%d,"body":"x"`, public)); code != fmt.Sprint(rpc.CodeGone) {
		t.Errorf("an edit of what was deleted is answered %s", code)
	}
	for method, params := range map[string]string{
		"mute": `"user":"eve","for":60000`, "ban": `"user":"eve","purge":0`, "kick": `"user":"eve"`, "lift": `"user":"eve","action":"ban"`,
		"purge": `"user":"eve"`, "set": `"slow":5`,
	} {
		e, code := do(method, params)
		act, _ := e.Act()
		if code != "" || !act.Key || act.Actor != DefaultKey {
			t.Errorf("%s is answered %s, and acts as %+v", method, code, act)
		}
		if method == "mute" && e.GetSanction().Until != e.Time+60_000 {
			t.Errorf("a mute for a minute ends at %d, and is of %d", e.GetSanction().Until, e.Time)
		}
	}
}

// A message may answer one that the log has, by whomever it came, and none that is to
// come. Neither needs ClickHouse.
func TestReplies(t *testing.T) {
	s := newSystem(t)
	s.start(func(i *Ingest) { i.cfg.ClickHouse = "clickhouse://127.0.0.1:1/default" })
	publish := `{"method":"publish","params":{"channel":"a","user":"ada","body":%q,"reply":%d}}`
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"asked"}}`))
	asked := s.events("a")[0].seq
	s.done(0, s.command(0, publish, "answered", asked+1)) // the seq of its own
	s.done(1, s.command(1, publish, "answered", asked))
	all := s.events("a")
	if len(all) != 2 || all[1].GetChat().Reply != asked {
		t.Fatalf("a has %v", all)
	}
	s.done(1, s.command(1, publish, "once more", all[1].seq)) // of this owner, and acknowledged
	s.done(2, s.command(2, publish, "once more", all[1].seq)) // of another one
	last := s.command(0, publish, "too soon", all[1].seq+3)
	s.done(0, last)
	if all := s.events("a"); len(all) != 4 {
		t.Errorf("a has %v", all)
	}
	r := s.rejections()[fmt.Sprintf("0/%d", last)]
	if header(&r, headerCode) != fmt.Sprint(rpc.CodeInvalidParams) || !strings.Contains(header(&r, headerReason), "above the channel's newest seq") {
		t.Errorf("it is rejected with %s %q", header(&r, headerCode), header(&r, headerReason))
	}
}

// A channel takes so many mutes and bans. Those that a command right before made count.
func TestSanctionsAreBounded(t *testing.T) {
	s := newSystem(t)
	s.project(time.Hour)
	s.start(func(i *Ingest) { i.cfg.Limits.Sanctions = 2 })
	var last int64
	for n := range 4 {
		last = s.command(1, `{"method":"ban","params":{"channel":"a","user":"eve%d"}}`, n)
	}
	s.done(1, last)
	found := s.rejections()
	for n := range int64(4) {
		r, is := found[fmt.Sprintf("1/%d", last-3+n)]
		if is != (n >= 2) || is && header(&r, headerCode) != fmt.Sprint(rpc.CodeFull) {
			t.Errorf("ban %d is rejected: %v %s", n, is, header(&r, headerCode))
		}
	}
}

// Without history what needs it waits, and the partition with it; the others go on.
func TestHistoryAway(t *testing.T) {
	s := newSystem(t)
	var i *Ingest
	s.start(func(started *Ingest) { i, started.cfg.ClickHouse = started, "clickhouse://127.0.0.1:1/default" })
	s.command(0, `{"method":"edit","params":{"channel":"a","user":"ada","body":"x","seq":7}}`)
	behind := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"behind"}}`)
	s.done(1, s.command(1, `{"method":"publish","params":{"channel":"a","user":"ada","body":"elsewhere"}}`))
	await.That(t, "it is said", func() bool { return len(s.output.String()) > 0 && s.contains("history cannot be read") })
	if s.committed(0) > behind || len(s.events("a")) != 1 {
		t.Errorf("what is behind is carried out: %v", s.events("a"))
	}
	lag := func() (n float64) {
		i.progress.lags.All(func(partition int, v float64) {
			if partition == 0 {
				n = v
			}
		})
		return n
	}
	await.That(t, "both wait", func() bool { return lag() == 2 })
	s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"further behind"}}`)
	await.That(t, "what waits grows", func() bool { return lag() == 3 })
}
