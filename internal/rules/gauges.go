package rules

import "github.com/parley-chat/parley/internal/meter"

// Gauges adds how many rules a role knows. There is no value while table returns
// nil.
func Gauges(g *meter.Gauges, table func() *Table) {
	of := func(stat func(Stats) float64) func() (float64, bool) {
		return func() (float64, bool) {
			t := table()
			if t == nil {
				return 0, false
			}
			return stat(t.Stats()), true
		}
	}
	g.Add("parley.rules.records", "{record}", "Rules about users that this role knows: revoked tokens, bars, grants. At 200,000, or 64 MiB, those nearest to their end make room.",
		of(func(s Stats) float64 { return float64(s.Records) }))
	g.Add("parley.rules.bytes", "By", "About what these rules take in memory.",
		of(func(s Stats) float64 { return float64(s.Bytes) }))
	g.Add("parley.rules.evicted", "{record}", "Rules that made room for others since the role started, before they were over: they are not in force any more.",
		of(func(s Stats) float64 { return float64(s.Evicted) }))
}
