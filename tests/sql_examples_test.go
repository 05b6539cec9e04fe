package tests

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/await"
)

var (
	sqlBlock  = regexp.MustCompile("(?s)```sql\n(.*?)```")
	sqlTable  = regexp.MustCompile(`\b(events_1|messages_1|changes_1|epochs)\b`)
	sqlMoment = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d'`)
	sqlStamp  = regexp.MustCompile(`'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?'`)
)

// sqlExamples are the statements of a page's section about SQL.
func sqlExamples(t *testing.T, page string) (all []string) {
	t.Helper()
	_, section, found := strings.Cut(readFile(t, filepath.Join(root, page)), "\n## SQL over the history\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range sqlBlock.FindAllStringSubmatch(section, -1) {
		all = append(all, block[1])
	}
	if !found || len(all) == 0 {
		t.Fatalf("%s has no SQL", page)
	}
	return all
}

// The statements in the documents run, and answer what the documents say: who spoke,
// what is left of it, who was banned by whom and for what, who is in, who took away
// whose messages.
func TestSQLExamples(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(unpaced(nil)).addr
	mod, ann := moderatorOf(t, url, "mod", "lobby"), enterLobby(t, url, "ann", `"*"`)
	eve, joe := enterLobby(t, url, "eve", `"*"`), enterLobby(t, url, "joe", `"*"`)
	hi := ann.chat("lobby", "hi")
	eve.chat("lobby", "buy this")
	mod.does("kick", map[string]any{"channel": "lobby", "user": "joe"})
	mod.does("ban", map[string]any{"channel": "lobby", "user": "eve", "reason": "spam", "purge": 0})
	mod.does("mute", map[string]any{"channel": "lobby", "user": "joe", "reason": "caps"})
	joe.sees("removed")
	last := mod.does("set", map[string]any{"channel": "lobby", "topic": "tea"})
	db, err := clickhouse.Open(soon(t), c.clickhouse, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	await.That(t, "all of it is in ClickHouse", func() bool {
		var seq int64
		return db.QueryRow(soon(t), "SELECT max(seq) FROM "+db.Table("events_1")+" WHERE channel = 'lobby'").Scan(&seq) == nil && seq >= last.Seq
	})
	ask := func(statement string) (answer []string) {
		t.Helper()
		statement = sqlTable.ReplaceAllStringFunc(statement, db.Table)
		statement = sqlMoment.ReplaceAllString(statement, time.Now().Add(time.Second).UTC().Format("'2006-01-02 15:04:05'"))
		rows, err := db.Query(soon(t), "SELECT toString(tuple(*)) FROM ("+statement+")")
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		defer rows.Close()
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			answer = append(answer, sqlStamp.ReplaceAllString(row, "T"))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		return answer
	}
	for page, want := range map[string][][]string{
		"README.md": {
			{"('ann',1,T)", "('eve',1,T)"},
			{fmt.Sprintf("(%d,'ann','hi',{})", hi.Seq)},
			{"(T,'lobby','eve','mod','for good','spam')"},
		},
		"docs/operations.md": {
			{"('ann')", "('mod')"},
			{"(T,'lobby','mod','eve',0,'spam')"},
		},
	} {
		examples := sqlExamples(t, page)
		if len(examples) != len(want) {
			t.Errorf("%s has %d statements, and %d are known here", page, len(examples), len(want))
			continue
		}
		for i, example := range examples {
			got := ask(example)
			if slices.Sort(got); !slices.Equal(got, want[i]) {
				t.Errorf("%s answers %q, want %q", example, got, want[i])
			}
		}
	}
}
