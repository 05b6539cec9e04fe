package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema"
)

// world is one run of the simulation: a log, workers, projectors, connectors
// and clients, and the scheduler that decides, by its seed, what happens next.
// Everything runs on one goroutine, but for what a connector does beside its
// stream, which settle waits for.
type world struct {
	rng      *rand.Rand
	weights  []int // of actions, summed up to each
	total    int
	plant    plant
	cfg      connector.Config
	large    int          // users above which channels are large; 0: by chance
	trace    func(string) // nil: no trace
	counts   map[string]int
	counting sync.Mutex // guards counts

	logs       [partitions]*log
	state      [partitions]map[string][]byte // parley.state, compacted
	pushes     [partitions][]push
	drops      map[string]bool // connectors that a push was lost of
	refused    map[string]bool // joins that were refused: session and channel
	owners     [partitions]*owner
	zombies    []*owner
	stragglers []*producer // of processes that are no more
	projectors [partitions]*projector
	control    *control
	reads      reads

	nodes    []*node
	clients  []*client
	said     []said
	messages int
	lives    int
	formats  raises
	skew     time.Duration // of the clocks of some connectors
	healing  bool
	// No epoch was before this one, and connectors know.
	firstEpoch bool
	trouble    bool // reads may fail
}

// violation is a broken guarantee.
type violation struct{ what string }

func (v *violation) Error() string { return v.what }

func newWorld(seed int64, planted plant, trace func(string)) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(uint64(seed), 0)), plant: planted, trace: trace,
		counts: map[string]int{}, drops: map[string]bool{}, refused: map[string]bool{},
		firstEpoch: seed%2 == 0,
	}
	presence := 1000
	if w.chance(10) {
		presence = 1
	}
	w.cfg = config(2+w.rng.IntN(5), presence)
	if w.chance(30) {
		w.cfg.Limits.Sanctions = 1
	}
	w.formats.older = planted == plantNone && w.chance(12)
	w.control = &control{w: w}
	w.control.take()
	for p := range partitions {
		w.logs[p], w.state[p] = newSimLog(p, w.formats.beginning()), map[string][]byte{}
		w.owners[p], w.projectors[p] = w.newOwner(w.logs[p]), w.newProjector(w.logs[p])
	}
	if w.chance(15) {
		w.skew = time.Hour
	}
	w.nodes = append(w.nodes, w.newNode(w.skew), w.newNode(0))
	for _, user := range []string{"ann", "ann", "bob", "bob", "b/ann"} {
		w.clients = append(w.clients, w.newClient(user))
	}
	return w
}

// end ends what still waits.
func (w *world) end() {
	for _, n := range w.nodes {
		n.cancel()
	}
	for _, c := range w.clients {
		if c.line != nil {
			_ = c.line.Close()
		}
	}
	w.settle()
}

// run plays one seed. Its error is a *violation.
func (w *world) run() (err error) {
	defer func() {
		w.end()
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

// count counts what a run meets. What a connector does beside its stream calls it
// concurrently.
func (w *world) count(what string) {
	w.counting.Lock()
	defer w.counting.Unlock()
	w.counts[what]++
}

// now is the time, in Unix milliseconds, by a right clock.
func (w *world) now() int64 { return time.Now().UnixMilli() }

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// settle waits until nothing runs beside the scheduler. It lets a little time
// pass, so that what starts one after the other times out in that order.
func (w *world) settle() {
	time.Sleep(time.Microsecond)
	synctest.Wait()
}

func (w *world) remove(n *node) {
	w.nodes = slices.DeleteFunc(w.nodes, func(o *node) bool { return o == n })
}

// writeEvent appends to parley.events.
func (w *world) writeEvent(partition int, _ string, value []byte) int64 {
	if w.plant == plantRefusal && w.leavesRefused(value) {
		return 0
	}
	seq := w.logs[partition].append(value)
	if w.trace != nil {
		r := w.logs[partition].records[seq]
		w.tracef("partition %d: %d: %v void=%v", partition, seq, r.event, r.void)
	}
	return seq
}

// leavesRefused reports whether an event is the leave that follows a join which
// was refused.
func (w *world) leavesRefused(value []byte) bool {
	e, err := schema.DecodeEvent(value)
	return err == nil && e.GetLeave() != nil && w.refused[e.GetLeave().Session+" "+e.GetLeave().Channel]
}

// writePush appends to parley.push. Now and then a message is lost there.
func (w *world) writePush(partition int, key string, value []byte) int64 {
	if !w.healing && w.rng.IntN(150) == 0 {
		p := new(schema.Push)
		decode(value, p)
		if len(p.Updates) == 1 && p.Updates[0].GetMessage() != nil {
			w.tracef("the push of partition %d, %d, to %s is lost", p.Partition, p.Offset, key)
			w.drops[key] = true
			return 0
		}
	}
	w.pushes[partition] = append(w.pushes[partition], push{key, value})
	return int64(len(w.pushes[partition]))
}

// isMember says whether the log has the session in the channel.
func (c *client) isMember(channel string) bool {
	_, known := c.w.channel(channel).members[c.session.id]
	return known
}

func (w *world) channel(name string) *channel { return w.logOf(name).channels[name] }

func (w *world) logOf(channel string) *log {
	return w.logs[schema.PartitionOf(channel, partitions)]
}

func (w *world) clientsOf(n *node) []*client {
	return slices.DeleteFunc(slices.Clone(w.clients), func(c *client) bool { return c.node != n })
}
