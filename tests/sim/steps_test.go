package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
)

// action is something that may happen next, to a partition where it is
// about one.
type action struct {
	weight int
	do     func(w *world, partition int)
}

// actions are all of them. Each run gives some more weight and some less,
// so that runs differ in what goes wrong.
var actions = []action{
	{300, func(w *world, _ int) { w.anyClient().act() }},
	{40, (*world).calm},
	{80, func(w *world, _ int) {
		if c := w.anyClient(); c.session != nil {
			c.read()
		}
	}},
	{120, func(w *world, _ int) {
		if n := w.anyNode(); n != nil {
			w.stepProducer(n.producer)
		}
	}},
	{110, func(w *world, p int) {
		for range 1 + w.rng.IntN(6) {
			w.owners[p].apply()
		}
	}},
	{110, func(w *world, p int) { w.stepProducer(w.owners[p].pushes) }},
	{110, func(w *world, _ int) {
		if n := w.anyNode(); n != nil {
			n.deliver(1 + w.rng.IntN(6))
		}
	}},
	{60, func(w *world, p int) { w.stepProjector(w.projectors[p]) }},
	{60, func(w *world, _ int) { w.stepRead() }},
	{90, func(w *world, p int) { w.owners[p].checkpoint(1 + w.rng.IntN(16)) }},
	{25, func(w *world, p int) { w.takeOver(p, w.chance(60)) }},
	{18, (*world).stepZombies},
	{8, (*world).stepStragglers},
	{14, func(w *world, _ int) {
		for range 1 + w.rng.IntN(4) {
			w.second()
		}
	}},
	{10, func(w *world, _ int) { w.pass(time.Duration(w.rng.IntN(3000)) * time.Millisecond) }},
	{6, func(w *world, p int) { w.projectors[p].restart() }},
	{4, func(w *world, _ int) { w.control.take() }},
	{14, func(w *world, p int) { w.control.land(p) }},
	{2, func(w *world, p int) { w.logs[p].append([]byte("\xff")) }},
	{10, (*world).moderate},
	{10, (*world).putOutLeaving},
	{5, (*world).watch},
	{4, (*world).raise},
	{5, func(w *world, _ int) {
		if len(w.nodes) < 4 {
			w.nodes = append(w.nodes, w.newNode(time.Duration(w.rng.IntN(2))*w.skew))
		}
	}},
	{5, (*world).stopNode},
}

// mix draws this run's weights.
func (w *world) mix() {
	for _, a := range actions {
		w.total += a.weight * []int{1, 3, 3, 3, 9}[w.rng.IntN(5)]
		w.weights = append(w.weights, w.total)
	}
}

// step lets something happen.
func (w *world) step() {
	p := 0
	if w.chance(25) {
		p = 1
	}
	at, _ := slices.BinarySearch(w.weights, 1+w.rng.IntN(w.total))
	actions[at].do(w, p)
}

func (w *world) anyClient() *client { return w.clients[w.rng.IntN(len(w.clients))] }

func (w *world) anyNode() *node {
	if len(w.nodes) == 0 {
		return nil
	}
	return w.nodes[w.rng.IntN(len(w.nodes))]
}

// calm lets everything that is under way in a partition arrive.
func (w *world) calm(p int) {
	for _, n := range w.nodes {
		for n.producer.land(p) || n.producer.answer(p) {
		}
		w.settle()
	}
	for o := w.owners[p]; o.apply(); {
	}
	for id := range partitions {
		for w.owners[p].pushes.land(id) || w.owners[p].pushes.answer(id) {
		}
	}
	for _, n := range slices.Clone(w.nodes) {
		n.deliver(1 << 20)
	}
}

func (w *world) stepZombies(int) {
	if len(w.zombies) == 0 {
		return
	}
	i := w.rng.IntN(len(w.zombies))
	for range 4 {
		if i < len(w.zombies) {
			w.stepZombie(i)
		}
	}
}

func (w *world) stepStragglers(int) {
	if len(w.stragglers) == 0 {
		return
	}
	i := w.rng.IntN(len(w.stragglers))
	if w.stepProducer(w.stragglers[i]); w.chance(50) {
		w.stragglers = slices.Delete(w.stragglers, i, i+1)
	}
}

func (w *world) stopNode(int) {
	if n := w.anyNode(); n != nil && w.chance(70) {
		n.kill()
	} else if n != nil {
		n.drain()
	}
}

// second lets a second pass for the leases: all who live beat, but for those
// that hang.
func (w *world) second() {
	for _, n := range slices.Clone(w.nodes) {
		if n.hangs = !w.healing && w.chance(map[bool]int{true: 90, false: 8}[n.hangs]); !n.hangs {
			n.beat()
		}
	}
	w.control.tick()
}

// pass lets time pass, in which what waits may give up.
func (w *world) pass(d time.Duration) {
	w.trouble = true
	time.Sleep(d)
	w.settle()
	w.keep()
}

func (w *world) keep() {
	for _, n := range slices.Clone(w.nodes) {
		n.keep()
	}
	w.settle()
}

// watch has a connector follow a channel, or no longer.
func (w *world) watch(int) {
	n := w.anyNode()
	if n == nil {
		return
	}
	name := channels[w.rng.IntN(len(channels))]
	if release := n.watched[name]; release != nil {
		w.tracef("%s watches %s no longer", n.id, name)
		release()
		delete(n.watched, name)
	} else {
		w.tracef("%s watches %s", n.id, name)
		n.watched[name] = n.inc.Watch(name)
	}
	w.settle()
}

// moderate has a backend take away what somebody said in a channel of a partition, or
// change it.
func (w *world) moderate(partition int) {
	if !w.formats.newer(partition) {
		return
	}
	for _, name := range channels {
		ch := w.logs[partition].channels[name]
		if ch == nil || len(ch.messages) == 0 || !w.chance(60) {
			continue
		}
		m := ch.messages[max(0, len(ch.messages)-1-w.rng.IntN(5))]
		w.lives++
		e := &schema.Event{Time: time.Now().UnixMilli(), Connector: fmt.Sprint("api", w.lives), Counter: 1}
		id := fmt.Sprint("backend", w.lives)
		if w.chance(25) {
			e.Kind = w.sanctionByKey(name).Kind
		} else if w.chance(50) {
			e.Kind = &schema.Event_Purge{Purge: &schema.Purge{Channel: name, User: m.User, Id: id, Since: m.Seq, By: bot}}
			w.count("purges")
		} else {
			user := m.User
			if m.To == "" {
				user = w.anyClient().user
			}
			e.Kind = &schema.Event_Change{Change: w.anyChange(&m, user, id)}
		}
		w.tracef("a backend changes %s: %v", name, e)
		w.logs[partition].append(encode(e))
		return
	}
}

// stepProducer lets some of what is under way arrive, or be answered.
func (w *world) stepProducer(p *producer) {
	for range 1 + w.rng.IntN(4) {
		id := w.rng.IntN(partitions)
		if !p.waits(id) {
			id = 1 - id
		}
		switch k := w.rng.IntN(100); {
		case k < 50:
			p.land(id)
		case k < 90 && !p.closed:
			p.answer(id)
		case k < 96 && w.mayRepeat(p, id):
			if p.repeat(id) {
				w.count("repeated by a producer")
			}
		case k == 97:
			if p.landLate(id, w.logs[id].end()) {
				w.count("written after they were refused")
			}
		case k >= 98:
			w.refuse(p, id)
		}
	}
	w.settle()
}

// refuse has the log refuse a record, which may be there all the same.
func (w *world) refuse(p *producer, partition int) {
	w.noteRefused(p.oldest(partition))
	if landed := len(p.landed(partition)) > 0; p.fail(partition, w.logs[partition].end()) && landed {
		w.count("refused although they are in the log")
	}
}

// noteRefused remembers a join that is refused.
func (w *world) noteRefused(value []byte) {
	if e, err := schema.DecodeEvent(value); err == nil && e.GetJoin() != nil {
		w.refused[e.GetJoin().Session+" "+e.GetJoin().Channel] = true
	}
}

// mayRepeat keeps to what a log promises: a producer repeats within the window.
func (w *world) mayRepeat(p *producer, partition int) bool {
	landed := p.landed(partition)
	if n := len(landed); n > 0 {
		return landed[n-1].offset+voidWindow >= w.logs[partition].end()+int64(n)-1
	}
	return false
}

func (w *world) stepProjector(p *projector) {
	for range 1 + w.rng.IntN(6) {
		if w.chance(70) {
			p.read()
		} else {
			p.write(1 + w.rng.IntN(4))
		}
	}
}

// stepRead ends a read of history.
func (w *world) stepRead() {
	keys := w.reads.keys()
	if len(keys) == 0 {
		return
	}
	key := keys[w.rng.IntN(len(keys))]
	if w.chance(12) {
		w.count("reads failed")
		w.trouble = true
		w.answerReads(key, history.ErrUnavailable)
		return
	}
	w.count("reads")
	w.answerReads(key, nil)
}
