package connector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// world is one run of the simulation: a log, workers, projectors, connectors
// and clients, and the scheduler that decides, by its seed, what happens next.
// Everything runs on one goroutine, but for what a connector does beside its
// stream, which settle waits for.
type world struct {
	rng     *rand.Rand
	weights []int // of simActions, summed up to each
	total   int
	plant   plant
	cfg     Config
	trace   func(string) // nil: no trace
	counts  map[string]int

	logs       [simPartitions]*simLog
	state      [simPartitions]map[string][]byte // parley.state, compacted
	pushes     [simPartitions][]simPush
	drops      map[string]bool // connectors that a push was lost of
	owners     [simPartitions]*simOwner
	zombies    []*simOwner
	stragglers []*simProducer // of processes that are no more
	projectors [simPartitions]*simProjector
	control    *simControl
	reads      simReads

	nodes    []*simNode
	clients  []*simClient
	said     []simSaid
	messages int
	lives    int
	healing  bool
	trouble  bool // reads may fail
}

// violation is a broken guarantee.
type violation struct{ what string }

func (v *violation) Error() string { return v.what }

func newWorld(seed int64, planted plant, trace func(string)) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(uint64(seed), 0)), plant: planted, trace: trace,
		counts: map[string]int{}, drops: map[string]bool{},
	}
	presence := 1000
	if w.chance(10) {
		presence = 1
	}
	w.cfg = simConfig(2+w.rng.IntN(5), presence)
	w.control = &simControl{w: w}
	w.control.take()
	for p := range simPartitions {
		w.logs[p], w.state[p] = newSimLog(p), map[string][]byte{}
		w.owners[p], w.projectors[p] = w.newOwner(w.logs[p]), w.newProjector(w.logs[p])
	}
	for range 2 {
		w.nodes = append(w.nodes, w.newNode())
	}
	for _, user := range []string{"ann", "ann", "bob", "bob", "cat"} {
		w.clients = append(w.clients, w.newClient(user))
	}
	return w
}

// run plays one seed. Its error is a *violation.
func (w *world) run() (err error) {
	defer func() {
		for _, n := range w.nodes {
			n.cancel()
		}
		w.settle()
		switch v := recover().(type) {
		case nil:
		case *violation:
			err = v
		default:
			panic(v)
		}
	}()
	w.mix()
	for range 200 + w.rng.IntN(200) {
		w.step()
	}
	w.heal()
	return nil
}

func (w *world) fail(format string, args ...any) {
	panic(&violation{fmt.Sprintf(format, args...)})
}

func (w *world) tracef(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf(format, args...))
	}
}

func (w *world) count(what string) { w.counts[what]++ }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// settle waits until nothing runs beside the scheduler. It lets a little time
// pass, so that what is begun one after the other times out in that order.
func (w *world) settle() {
	time.Sleep(time.Microsecond)
	synctest.Wait()
}

func (w *world) remove(n *simNode) {
	w.nodes = slices.DeleteFunc(w.nodes, func(o *simNode) bool { return o == n })
}

// writeEvent appends to parley.events.
func (w *world) writeEvent(partition int, _ string, value []byte) int64 {
	seq := w.logs[partition].append(value)
	if w.trace != nil {
		r := w.logs[partition].records[seq]
		w.tracef("partition %d: %d: %v void=%v", partition, seq, r.event, r.void)
	}
	return seq
}

// writePush appends to parley.push. Now and then a message is lost there.
func (w *world) writePush(partition int, key string, value []byte) int64 {
	if !w.healing && w.rng.IntN(150) == 0 {
		p := new(schema.Push)
		simDecode(value, p)
		if len(p.Updates) == 1 && p.Updates[0].GetMessage() != nil {
			w.tracef("the push of partition %d, %d, to %s is lost", p.Partition, p.Offset, key)
			w.drops[key] = true
			return 0
		}
	}
	w.pushes[partition] = append(w.pushes[partition], simPush{key, value})
	return int64(len(w.pushes[partition]))
}

// simAction is something that may happen next, to a partition where it is
// about one.
type simAction struct {
	weight int
	do     func(w *world, partition int)
}

// simActions are all of them. Each run gives some more weight and some less,
// so that runs differ in what goes wrong.
var simActions = []simAction{
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
	{2, func(w *world, p int) { w.logs[p].append([]byte("\xff")) }},
	{5, func(w *world, _ int) {
		if len(w.nodes) < 4 {
			w.nodes = append(w.nodes, w.newNode())
		}
	}},
	{5, (*world).stopNode},
}

// mix draws this run's weights.
func (w *world) mix() {
	for _, a := range simActions {
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
	simActions[at].do(w, p)
}

func (w *world) anyClient() *simClient { return w.clients[w.rng.IntN(len(w.clients))] }

func (w *world) anyNode() *simNode {
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
	for id := range simPartitions {
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
	for _, n := range w.nodes {
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
	w.keep()
}

func (w *world) keep() {
	for _, n := range slices.Clone(w.nodes) {
		n.keep()
	}
	w.settle()
}

// stepProducer lets some of what is under way arrive, or be answered.
func (w *world) stepProducer(p *simProducer) {
	for range 1 + w.rng.IntN(4) {
		id := w.rng.IntN(simPartitions)
		if len(p.queues[id]) == 0 {
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
		case k >= 98:
			p.fail(id)
		}
	}
	w.settle()
}

// mayRepeat keeps to what a log promises: a producer repeats within the window.
func (w *world) mayRepeat(p *simProducer, partition int) bool {
	landed := p.landed(partition)
	if n := len(landed); n > 0 {
		return landed[n-1].offset+simWindow >= w.logs[partition].end()+int64(n)-1
	}
	return false
}

func (w *world) stepProjector(p *simProjector) {
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

// heal ends the faults, lets everything arrive and holds it against the log.
func (w *world) heal() {
	w.tracef("no more faults")
	w.healing = true
	w.stragglers = nil
	for _, c := range w.clients {
		if c.session != nil {
			c.session.conn.limit = w.cfg.Limits.Queue
		}
	}
	w.flow()
	w.trouble = false
	w.speak()
	for _, n := range slices.Clone(w.nodes) {
		if !n.over {
			w.visit(n)
		}
	}
	for range 30 {
		w.second()
		time.Sleep(time.Second)
		w.keep()
		w.flow()
	}
	w.speak()
	if len(w.nodes) == 0 {
		w.nodes = append(w.nodes, w.newNode())
	}
	w.visit(w.nodes[0])
	w.keep()
	w.flow()
	for _, o := range w.owners {
		for o.fold.Changed() || o.flush != nil {
			o.checkpoint(1000)
		}
	}
	w.checkClients()
	w.checkStores()
	w.tally()
}

// speak has everyone say something everywhere, so that nothing that was lost
// stays unnoticed.
func (w *world) speak() {
	for _, c := range w.clients {
		for _, name := range simChannels {
			if c.session != nil && c.rooms[name].member {
				w.messages++
				c.call(rpc.MethodChat, name, rpc.ChatParams{Channel: name, ID: fmt.Sprint("m", w.messages), Body: "still here"})
			}
		}
	}
	w.flow()
}

// visit has a newcomer look at the whole of every channel. A connector that was
// declared down, and was not told yet as it had no members, learns it then.
func (w *world) visit(n *simNode) {
	c := w.newClient("dot")
	w.clients = append(w.clients, c)
	c.connect(n, w.cfg.Limits.Queue)
	for _, name := range simChannels {
		c.joinAll(name)
	}
	w.flow()
}

// flow moves everything on until nothing moves any more.
func (w *world) flow() {
	for moved := true; moved; {
		moved = false
		for _, n := range slices.Clone(w.nodes) {
			moved = drainProducer(n.producer) || moved
			w.settle()
		}
		for _, z := range w.zombies {
			for z.apply() {
			}
			drainProducer(z.pushes)
		}
		w.zombies = nil
		for p, o := range w.owners {
			for o.apply() {
				moved = true
			}
			moved = drainProducer(o.pushes) || moved
			for w.projectors[p].read() {
			}
			for w.projectors[p].write(100) {
			}
		}
		for _, n := range slices.Clone(w.nodes) {
			moved = moved || n.at < len(w.pushes[n.inc.pushPartition])
			n.deliver(1 << 20)
		}
		for _, key := range w.reads.keys() {
			moved = true
			w.answerReads(key, nil)
		}
		for _, c := range w.clients {
			if c.session != nil {
				c.read()
			}
		}
	}
}

func drainProducer(p *simProducer) (moved bool) {
	for id := range p.queues {
		for p.land(id) {
			moved = true
		}
		for p.answer(id) {
			moved = true
		}
	}
	return moved
}

// tally counts what the run has met, to show that nothing is tested in name
// only.
func (w *world) tally() {
	for _, l := range w.logs {
		for _, r := range l.records {
			switch {
			case r.event.GetChat() != nil && r.void:
				w.count("void chats")
			case r.event.GetJoin() != nil && r.void:
				w.count("void joins")
			case r.event != nil:
				w.count("events")
			}
		}
	}
}
