package sim

import (
	"bytes"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func decode(b []byte, m proto.Message) {
	if err := proto.Unmarshal(b, m); err != nil {
		panic(err)
	}
}

// joined takes a join's result.
func (c *client) joined(call *call, r *room, j *rpc.JoinResult) {
	ch := c.w.channel(j.Channel)
	if j.Last != ch.last(j.Seq) {
		c.w.fail("%s/%s joins %s at %d: last is %d, want %d", c.user, c.session.id, j.Channel, j.Seq, j.Last, ch.last(j.Seq))
	}
	c.checkMuted(call, ch, j)
	if want := ch.users(c.node.id, j.Seq); !slices.Equal(names(j.Members), want) || j.Count != len(want) {
		c.w.fail("%s/%s joins %s at %d: members %v, count %d, want %v", c.user, c.session.id, j.Channel, j.Seq, names(j.Members), j.Count, want)
	}
	p := call.params.(rpc.JoinParams)
	c.past(&p, ch, j)
	c.viewed(&p, r, ch, j)
	if call.id < r.left { // of before the leave
		return
	}
	own := c.w.logOf(j.Channel).records[j.Seq]
	isOwn := !own.void && own.event.GetJoin().GetSession() == c.session.id
	if r.member && !(r.gaveUp > r.by && isOwn && j.Seq > r.joined) { // it was a member already: what it gets goes on as before
		if j.Recovered != nil && *j.Recovered {
			r.since = max(r.since, j.Seq)
		}
		return
	}
	stay, had := ch.stayAt(c.session.id, j.Seq)
	again := !isOwn || j.Seq == r.joined // no new join of its own, at most the one that it was a member by
	takenBack := r.unsure && again && had && stay.from <= r.joined
	switch {
	case takenBack:
		c.w.count("leaves taken back")
		if r.early {
			c.w.count("leaves taken back of joins under way")
		}
	case r.unsure:
		c.heardAll(j.Channel, r)
	}
	r.unsure = false
	if had && stay.banned {
		c.w.fail("%s/%s joins %s at %d, although they are banned", c.user, c.session.id, j.Channel, j.Seq)
	}
	if !isOwn && !takenBack {
		c.w.fail("%s/%s joins %s at %d, where the log does not have its join", c.user, c.session.id, j.Channel, j.Seq)
	}
	r.right.cut = false
	r.member, r.by, r.crowded, r.joined, r.cursor, r.pushed, r.since = true, call.id, false, j.Seq, j.Seq, j.Seq, j.Seq
	r.changed, r.set, r.told = j.Seq, j.Seq, j.Seq
	r.members = map[string]bool{}
	for _, m := range j.Members {
		r.members[m.User] = true
	}
	c.w.count("joins")
}

// memberList takes an answer to members, which must be right at some position.
func (c *client) memberList(call *call, m *rpc.MembersResult) {
	ch := c.w.channel(call.channel)
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		if slices.Equal(ch.users(c.node.id, at), names(m.Members)) && m.Count == len(m.Members) {
			c.w.count("member lists")
			return
		}
	}
	c.w.fail("%s/%s gets members %v of %s, who were never there together", c.user, c.session.id, names(m.Members), call.channel)
}

func names(members []rpc.Member) []string {
	var users []string
	for _, m := range members {
		users = append(users, m.User)
	}
	return users
}

// checkReplicas compares a connector's replicas with the log, at their
// positions.
func (w *world) checkReplicas(n *node) {
	for _, ch := range n.inc.Channels() {
		v, truth := ch.View("", math.MaxInt32), w.channel(ch.Name())
		if want := truth.users(n.id, v.Seq); !slices.Equal(names(v.Members), want) {
			w.fail("%s has %v in %s at %d, want %v", n.id, names(v.Members), ch.Name(), v.Seq, want)
		}
		if want := truth.last(v.Seq); v.Last != want {
			w.fail("%s has last %d in %s at %d, want %d", n.id, v.Last, ch.Name(), v.Seq, want)
		}
		if voids, _ := ch.Voids(); !slices.Equal(voids, truth.voidsAt(v.Seq)) {
			w.fail("%s has void chats %v in %s at %d, want %v", n.id, voids, ch.Name(), v.Seq, truth.voidsAt(v.Seq))
		}
		w.checkBinding(n, ch, truth, v.Seq)
	}
}

// checkClients compares what connected clients know with the log, when
// everything has arrived.
func (w *world) checkClients() {
	present := map[string]bool{}
	for _, c := range w.clients {
		if c.session == nil {
			continue
		}
		present[c.session.id] = true
		for _, id := range slices.Sorted(maps.Keys(c.calls)) {
			w.fail("%s/%s: call %d (%s) is never answered", c.user, c.session.id, id, c.calls[id].method)
		}
		for _, name := range channels {
			r, ch := c.rooms[name], w.channel(name)
			if r.member && r.gaveUp > r.by {
				r.member = c.isMember(name)
			}
			if r.member != c.isMember(name) {
				w.fail("%s/%s is told that it is a member of %s: %v; the log says %v", c.user, c.session.id, name, r.member, !r.member)
			}
			if !r.member {
				continue
			}
			if missed := ch.seen(c.user, r.cursor, w.logOf(name).end()); len(missed) > 0 {
				w.fail("%s/%s has never heard %s in %s", c.user, c.session.id, show(missed), name)
			}
			c.heardChanges(r, ch, w.logOf(name).end())
			c.compareView(name, r, ch, w.logOf(name).end(), true)
			if users := ch.users(c.node.id, w.logOf(name).end()); !r.crowded && !slices.Equal(slices.Sorted(maps.Keys(r.members)), users) {
				w.fail("%s/%s sees %v in %s, want %v", c.user, c.session.id, slices.Sorted(maps.Keys(r.members)), name, users)
			}
		}
	}
	for _, name := range channels {
		for session, m := range w.channel(name).members {
			if !present[session] {
				w.fail("%s (%s of %s) is a ghost in %s", m.user, session, m.connector, name)
			}
			if stay, _ := w.channel(name).stayAt(session, w.logOf(name).end()); stay.banned {
				w.fail("%s (%s of %s) is banned, and still in %s", m.user, session, m.connector, name)
			}
		}
	}
	for _, n := range w.nodes {
		if kept := n.requests.Used(); kept != 0 {
			w.fail("%s keeps %d bytes for requests that are answered, or whose sessions have ended", n.id, kept)
		}
	}
}

// checkStores compares checkpoints and rows with the log.
func (w *world) checkStores() {
	for p, l := range w.logs {
		f := fold.New(fold.Log{Partition: int32(p), Epoch: logEpoch, Window: voidWindow})
		fresh := &owner{w: w, log: l, fold: f, open: &barrier{}, pushes: &producer{}}
		for fresh.apply() {
		}
		records, err := f.Flush(0)
		if err != nil {
			w.fail("flush: %v", err)
		}
		want := map[string][]byte{}
		for _, r := range records {
			want[r.Key] = r.Value
		}
		if !maps.EqualFunc(lasting(w.state[p]), lasting(want), bytes.Equal) {
			w.fail("the checkpoint of partition %d is not the fold of the log:\n%q\nwant\n%q", p, w.state[p], want)
		}
		w.checkRows(w.projectors[p])
	}
}

// lasting is a checkpoint without what the next one removes: connectors that
// were declared down.
func lasting(state map[string][]byte) map[string][]byte {
	state = maps.Clone(state)
	maps.DeleteFunc(state, func(key string, value []byte) bool {
		var c schema.StateConnector
		if _, ok := schema.StateConnectorOf(key); ok {
			decode(value, &c)
		}
		return value == nil || c.Gone
	})
	return state
}

func (w *world) checkRows(p *projector) {
	rows := map[int64]row{}
	for _, r := range p.rows {
		if before, repeated := rows[r.seq]; repeated && (before.void != r.void || !proto.Equal(before.event, r.event)) {
			w.fail("partition %d has two rows for %d: %+v and %+v", p.log.partition, r.seq, before, r)
		}
		rows[r.seq] = r
	}
	for seq, r := range p.log.records {
		_, is := rowOf(int64(seq), r.void, r.event)
		if row, found := rows[int64(seq)]; found != is || found && (row.void != r.void || !proto.Equal(row.event, r.event)) {
			w.fail("partition %d has row %+v (%v) for %d, which is void: %v, %v", p.log.partition, row, found, seq, r.void, r.event)
		}
	}
}
