package cli

import (
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/ops/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// A line shows a message as it is now, and that it was another.
func TestHistoryForPeople(t *testing.T) {
	for want, m := range map[string]rpc.Message{
		"ada: hello":                          {Body: "hello"},
		"ada → bob: psst":                     {Body: "psst", To: "bob"},
		"ada: better (edited)":                {Body: "better", Edited: &rpc.Edited{Seq: 9}},
		"ada: hello  👍 2, ·[31m 1":            {Body: "hello", Reactions: []rpc.Reaction{{Name: "👍", Count: 2}, {Name: "\x1b[31m", Count: 1}}},
		"ada: better (edited)  👍 1":           {Body: "better", Edited: &rpc.Edited{Seq: 9}, Reactions: []rpc.Reaction{{Name: "👍", Count: 1}}},
		"ada: (deleted by ada)":               {Deleted: &rpc.Deleted{By: rpc.Author{User: "ada"}}},
		"ada: (deleted by key bot: spam·)":    {Deleted: &rpc.Deleted{By: rpc.Author{Key: "bot"}, Reason: "spam\x07"}},
		"ada → bob: (deleted by mo: no spam)": {To: "bob", Deleted: &rpc.Deleted{By: rpc.Author{User: "mo"}, Reason: "no spam"}},
	} {
		m.User, m.Seq = "ada", 7
		var out strings.Builder
		printMessage(&out, &m)
		if got := out.String(); got != "1970-01-01 00:00:00.000  7  "+want+"\n" {
			t.Errorf("it prints %q, want %q", got, want)
		}
	}
}

// After a page without a message, which changes have filled, there is a next one.
func TestHistoryHasANextPage(t *testing.T) {
	for want, page := range map[string]history.Transcript{
		"--after 40": {More: true, Seq: 40},
		"--after 7":  {More: true, Messages: []rpc.Message{{Seq: 7}}},
		"--after 30": {More: true, Seq: 30, Messages: []rpc.Message{{Seq: 7}}},
	} {
		var out strings.Builder
		if err := (&historyCommand{After: 3}).print(&out, &page); err != nil || !strings.Contains(out.String(), "(newer ones: "+want+")") {
			t.Errorf("%q, %v, want %s", out.String(), err, want)
		}
	}
}
