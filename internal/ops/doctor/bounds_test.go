package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog/admin"
)

// found runs a check of values alone and returns what it found.
func found(check func(*examination)) []Finding {
	x := &examination{report: &Report{}}
	check(x)
	return x.report.Findings
}

func TestFreeSpace(t *testing.T) {
	for free, want := range map[int64]Severity{500: "", 150: "", 149: Warning, 50: Warning, 49: Error, 0: Error} {
		all := found(func(x *examination) { x.checkFree("broker 1", "/log", free, 1000) })
		if got := severityOf(all); got != want {
			t.Errorf("%d of 1000 are free: %q, want %q", free, got, want)
		}
	}
}

func TestClocks(t *testing.T) {
	now := time.Now()
	for apart, fine := range map[time.Duration]bool{
		0: true, time.Second: true, -time.Second: true, -3 * time.Second: false, 4 * time.Second: false, time.Hour: false,
	} {
		all := found(func(x *examination) { x.checkClock("a connector", now.Add(-apart), now, 0) })
		if (len(all) == 0) != fine {
			t.Errorf("a clock that is %v late: %v", apart, all)
		}
	}
}

// A bound holds up to its value, and a setting that is not reported is a note.
func TestLimitsOfBrokers(t *testing.T) {
	bounds := []limit{{setting: "most", most: 10, severity: Error}, {setting: "least", least: 5, severity: Warning}}
	for _, c := range []struct {
		most, least string
		want        string
	}{
		{"10", "5", ""}, {"11", "5", "most=11"}, {"10", "4", "least=4"}, {"", "5", "does not report most"},
	} {
		have := map[string]admin.Setting{"least": {Value: c.least}}
		if c.most != "" {
			have["most"] = admin.Setting{Value: c.most}
		}
		all := found(func(x *examination) { x.checkBroker("broker 1", have, bounds) })
		if c.want == "" && len(all) > 0 || c.want != "" && (len(all) != 1 || !strings.Contains(all[0].Text, c.want)) {
			t.Errorf("most=%s, least=%s: %v, want %q", c.most, c.least, all, c.want)
		}
	}
}

// What a server reports of a replicated table: the first row is that of a table
// that lost its Keeper.
func TestReplicasOfTables(t *testing.T) {
	for _, c := range []struct {
		is   tableReplica
		want string
	}{
		{tableReplica{readOnly: true, behind: 1795675911 * time.Second, active: 0, total: 2}, "error  table events_1: it is read-only on the server that was asked"},
		{tableReplica{readOnly: true}, "error  table events_1: it is read-only on the server that was asked"},
		{tableReplica{active: 2, total: 2}, ""},
		{tableReplica{active: 2, total: 2, behind: time.Minute}, ""},
		{tableReplica{active: 2, total: 2, behind: 61 * time.Second}, "warning  table events_1: the replica that was asked is 1m1s behind"},
		{tableReplica{active: 2, total: 3}, "warning  table events_1: 2 of 3 replicas are active"},
		{tableReplica{active: 1, total: 1}, "warning  table events_1: it has one replica"},
	} {
		c.is.table = "events_1"
		all := found(func(x *examination) { x.checkTableReplica(c.is) })
		said := ""
		for _, f := range all {
			said += fmt.Sprintf("%s  %s: %s", f.Severity, f.Subject, f.Text)
		}
		if c.want == "" && said != "" || !strings.HasPrefix(said, c.want) || len(all) > 1 {
			t.Errorf("%+v: %q, want %q", c.is, said, c.want)
		}
	}
}

func severityOf(all []Finding) Severity {
	if len(all) == 0 {
		return ""
	}
	return all[0].Severity
}
