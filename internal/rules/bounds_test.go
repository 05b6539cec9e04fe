package rules

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// most is what docs/architecture.md says that the rules take.
const most = 72_000_000

// A full table takes no more memory than documented, whatever its rules are, and
// counts bytes that are about those it takes.
//
//parley:bound the rules of a connector, and of the worker that keeps the leases
func TestTableTakesWhatItMay(t *testing.T) {
	by := &schema.Author{By: &schema.Author_Key{Key: "cli"}}
	grant := &schema.Grant{Channels: []string{strings.Repeat("x", 128)}, Allow: []string{"join"}}
	for name, c := range map[string]struct {
		records, most int
		rule          func(i int) Rule
	}{
		"revocations": {MaxRecords, 44_000_000, func(i int) Rule {
			return Rule{Revoked, fmt.Sprintf("user-%d", i), &schema.Revocation{Before: noon.UnixMilli() + int64(i), By: by, Time: noon.UnixMilli()}}
		}},
		"bars of the longest names with reasons": {MaxRecords, most, func(i int) Rule {
			return Rule{Barred, fmt.Sprintf("%0128d", i), &schema.Bar{By: by, Reason: strings.Repeat("r", 30), Time: noon.UnixMilli()}}
		}},
		"long grants": {8_000, most, func(i int) Rule {
			g := &schema.UserGrants{By: by}
			for range maxGrants {
				g.Grants = append(g.Grants, grant)
			}
			return Rule{Granted, fmt.Sprint(i), g}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := inuse.Heap()
			table := NewTable()
			for i := range c.records + c.records/10 {
				r := c.rule(i)
				put(t, table, r.Kind, r.Name, r.Value)
			}
			heap := inuse.Heap() - before
			s := table.Stats()
			t.Logf("%d bytes, %d a rule, %d counted; %+v", heap, heap/s.Records, s.Bytes, s)
			if heap > c.most || s.Records > MaxRecords || s.Evicted == 0 {
				t.Errorf("%d rules take %d bytes, at most %d are reckoned with", s.Records, heap, c.most)
			}
			if s.Bytes < heap*9/10 {
				t.Errorf("%d bytes are counted", s.Bytes)
			}
			runtime.KeepAlive(table)
		})
	}
}
