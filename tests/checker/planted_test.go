package checker

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// bug is something done to a clean recording, and the rule that must catch it.
type bug struct {
	name  string
	rule  Rule
	plant func(*garden) bool // false: the recording has no place for it
}

// garden is a clean recording and where in it to plant.
type garden struct {
	*Input
	rng *rand.Rand
}

// pick returns a random entry that fits, and its index; nil when none does.
func (g *garden) pick(fits func(*Entry) bool) (*Entry, int) {
	for _, i := range g.rng.Perm(len(g.Entries)) {
		if fits(&g.Entries[i]) {
			return &g.Entries[i], i
		}
	}
	return nil, -1
}

// after returns the first entry after i of the same session and channel that
// fits.
func (g *garden) after(i int, fits func(*Entry) bool) (*Entry, int) {
	from := g.Entries[i]
	for k := i + 1; k < len(g.Entries); k++ {
		if e := &g.Entries[k]; e.Session == from.Session && e.Channel == from.Channel && fits(e) {
			return e, k
		}
	}
	return nil, -1
}

func (g *garden) remove(i int) { g.Entries = slices.Delete(g.Entries, i, i+1) }

func (g *garden) insert(i int, e Entry) { g.Entries = slices.Insert(g.Entries, i, e) }

// record returns the place of the event at seq of a channel's partition.
func (g *garden) record(partition int, seq int64) int {
	return slices.IndexFunc(g.Log.Partitions[partition], func(r Record) bool { return r.Offset == seq })
}

func isA(ops ...Op) func(*Entry) bool {
	return func(e *Entry) bool { return slices.Contains(ops, e.Op) }
}

func okay(op Op) func(*Entry) bool {
	return func(e *Entry) bool { return e.Op == op && e.Outcome == OK }
}

// Every planted bug is caught, whatever the recording it is planted in.
func TestPlantedBugs(t *testing.T) {
	bugs := slices.Concat(pushBugs, pastBugs, chatBugs, changeBugs, moderatorBugs, presenceBugs, downstreamBugs)
	if len(bugs) < 25 {
		t.Fatalf("%d bugs", len(bugs))
	}
	for _, b := range bugs {
		t.Run(strings.ReplaceAll(b.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			planted := 0
			for seed := uint64(0); planted < 5 && seed < 300; seed++ {
				in := newModel(1000 + seed).run(400)
				if !b.plant(&garden{&in, rand.New(rand.NewPCG(seed, 2))}) {
					continue
				}
				planted++
				report := checked(t, in)
				caught := func(v Violation) bool { return v.Rule == b.rule }
				if !slices.ContainsFunc(report.Violations, caught) {
					t.Errorf("seed %d: not caught by rule %s; violations: %v", seed, b.rule, report.Violations)
				}
			}
			if planted < 5 {
				t.Errorf("planted in %d recordings only", planted)
			}
		})
	}
}
