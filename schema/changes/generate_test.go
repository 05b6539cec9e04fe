package changes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
)

// generator makes one case. It is a function of the case's number.
type generator struct {
	*rand.Rand
	testCase
	names     int  // of reactions
	deletable bool // else most messages would end deleted
}

func newCase(number int) *testCase {
	g := generator{Rand: rand.New(rand.NewPCG(10, uint64(number)))}
	g.Me, g.Changes = "ada", []wireChange{}
	g.Message = wireMessage{Seq: 10, User: g.user(), Body: "as sent", Type: g.pick("", "", "poll")}
	if g.IntN(3) == 0 {
		g.Message.Data = json.RawMessage(`{"a":1}`)
	}
	length := g.IntN(14)
	g.names, g.deletable = 3, g.IntN(3) == 0
	if number%50 == 49 { // more names than are shown
		g.names, length = MaxNames+4, 60
	}
	seq := g.Message.Seq
	for range length {
		seq += 1 + g.Int64N(3)
		g.Changes = append(g.Changes, g.change(seq))
	}
	g.Order = g.Perm(length)
	for range g.IntN(4) {
		if length > 0 {
			g.Order = append(g.Order, g.IntN(length))
		}
	}
	g.react()
	for range 2 {
		asof := g.Message.Seq + g.Int64N(seq-g.Message.Seq+1)
		g.Pages = append(g.Pages, page{asof, g.plainly(asof)})
	}
	g.Shown = g.plainly(seq)
	return &g.testCase
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) user() string { return g.pick("ada", "bob", "eve") }

func (g *generator) change(seq int64) wireChange {
	c := wireChange{Seq: seq, Time: seq * 1000, User: g.user()}
	switch what := g.IntN(10); {
	case what < 3:
		c.Edit = g.edit(seq)
	case what == 3 && g.deletable:
		c.Delete = &wireDelete{g.pick("", "rude")}
		c.Key = g.pick("", "", "trust")
	case what == 4 && g.deletable:
		c.By, c.User = &by{User: c.User}, ""
		if g.IntN(2) == 0 {
			c.By = &by{Key: "trust"}
		}
		c.Purge = &wirePurge{g.user(), 8 + g.Int64N(5), g.pick("", "spam")}
	default:
		c.React = &wireReact{fmt.Sprint("n", g.IntN(g.names)), g.IntN(3) == 0 && g.names == 3}
	}
	return c
}

func (g *generator) edit(seq int64) *wireEdit {
	e := &wireEdit{Body: fmt.Sprint("edit ", seq)}
	if g.IntN(3) == 0 {
		kind := g.pick("text", "poll", "card")
		e.Type = &kind
	}
	if g.IntN(3) == 0 {
		e.Data = json.RawMessage(g.pick("null", "0", `""`, `{"b":2}`))
	}
	return e
}

// react makes the pushes of reactions, at most one after each.
func (g *generator) react() {
	var since []wireChange
	for i, c := range g.Changes {
		if c.React != nil {
			since = append(since, c)
		}
		if len(since) == 0 || g.IntN(2) == 0 && i < len(g.Changes)-1 {
			continue
		}
		push := wireReacted{Seq: c.Seq, Counts: map[string]int{}}
		live := live(g.Changes, c.Seq)
		for _, s := range since {
			of := slices.DeleteFunc(slices.Clone(live), func(l wireChange) bool { return l.React.Name != s.React.Name })
			push.Counts[s.React.Name] = len(of)
		}
		if len(since) == 1 {
			push.User, push.Name, push.Remove = since[0].User, since[0].React.Name, since[0].React.Remove
		}
		g.Reacted, since = append(g.Reacted, push), nil
	}
}

// live are the reactions that count as of a position, the oldest first.
func live(all []wireChange, asof int64) []wireChange {
	type key struct{ user, name string }
	deciding := map[key]wireChange{}
	for _, c := range all { // ascending
		if c.React != nil && c.Seq <= asof {
			deciding[key{c.User, c.React.Name}] = c
		}
	}
	var live []wireChange
	for _, c := range deciding {
		if !c.React.Remove {
			live = append(live, c)
		}
	}
	slices.SortFunc(live, func(a, b wireChange) int { return cmp.Compare(a.Seq, b.Seq) })
	return live
}

// plainly is what is shown as of a position, told from the words of the
// contract.
func (g *generator) plainly(asof int64) shown {
	v := shown{Body: g.Message.Body, Type: g.Message.Type, Data: g.Message.Data}
	for _, c := range g.Changes { // ascending
		if c.Seq > asof {
			break
		}
		d, p := c.Delete, c.Purge
		switch {
		case d != nil:
			return shown{Deleted: &removal{position{c.Seq, c.Time}, actor(c.User, c.Key), d.Reason}}
		case p != nil && p.User == g.Message.User && p.Since <= g.Message.Seq && g.Message.Seq < c.Seq:
			return shown{Deleted: &removal{position{c.Seq, c.Time}, *c.By, p.Reason}}
		case c.Edit != nil:
			v.edit(&c)
		}
	}
	for _, c := range live(g.Changes, asof) {
		if c.User == g.Me {
			v.Mine = append(v.Mine, c.React.Name)
		}
		at := slices.IndexFunc(v.Reactions, func(t tally) bool { return t.Name == c.React.Name })
		if at < 0 {
			at = len(v.Reactions)
			v.Reactions = append(v.Reactions, tally{Name: c.React.Name})
		}
		v.Reactions[at].Count++
	}
	v.Reactions = v.Reactions[:min(len(v.Reactions), MaxNames)]
	return v
}

func (v *shown) edit(c *wireChange) {
	v.Body, v.Edited = c.Edit.Body, &position{c.Seq, c.Time}
	if kind := c.Edit.Type; kind != nil {
		v.Type = *kind
		if *kind == "text" {
			v.Type = ""
		}
	}
	if data := c.Edit.Data; data != nil {
		v.Data = data
		if string(data) == "null" {
			v.Data = nil
		}
	}
}
