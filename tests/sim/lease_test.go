package sim

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/chatworker/lease"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// control is parley.control, and the worker that keeps its leases.
type control struct {
	w       *world
	records []controlRecord

	machine *lease.Machine
	read    int
	claim   int64
	number  int64
	claims  []int64

	burials []*burial // whose downs are not all in the log
}

// burial is a connector that is being declared down.
type burial struct {
	lease.Death
	claim   int64
	at      int64 // where parley.control ended when it was decided
	missing [partitions]bool
}

type controlRecord struct {
	key   string
	value []byte
}

func (c *control) append(key string, m proto.Message) int64 {
	var value []byte
	if m != nil {
		value = encode(m)
	}
	c.records = append(c.records, controlRecord{key, value})
	return int64(len(c.records) - 1)
}

// take makes another worker the keeper.
func (c *control) take() {
	c.machine, c.read, c.number = lease.New(), 0, 0
	c.claim = c.append(schema.ControlKeyClaim, &schema.ControlClaim{Worker: "w"})
	c.claims = append(c.claims, c.claim)
	c.follow()
}

// follow reads to the end.
func (c *control) follow() {
	for ; c.read < len(c.records); c.read++ {
		r := c.records[c.read]
		if err := c.machine.Apply(int64(c.read), r.key, r.value); err != nil {
			c.w.fail("apply %d of the control records: %v", c.read, err)
		}
	}
}

// tick is a second: those who live beat, and the keeper ticks and buries the
// dead; it may crash at it.
func (c *control) tick() {
	if len(c.claims) > 1 && c.w.chance(10) { // one that does not know that it is the keeper no more
		c.append(schema.ControlKeyTick, &schema.Tick{Claim: c.claims[len(c.claims)-2], Number: 1 << 40})
	}
	c.number++
	c.append(schema.ControlKeyTick, &schema.Tick{Claim: c.claim, Number: c.number})
	c.follow()
	for _, death := range c.machine.Due(c.claim) {
		if slices.ContainsFunc(c.burials, func(b *burial) bool { return b.claim == c.claim && b.Connector == death.Connector }) {
			continue
		}
		c.w.mayBury(death.Connector)
		c.burials = append(c.burials, &burial{Death: death, claim: c.claim, at: int64(len(c.records)), missing: [partitions]bool{true, true}})
	}
	for p := range partitions {
		if c.w.healing || c.w.chance(70) { // else the partition cannot be written now
			c.land(p)
		}
		if !c.w.healing && c.w.chance(3) {
			c.take()
		}
	}
	c.follow()
	c.orphans()
}

// land appends what waits for a partition. A connector whose downs are all there
// loses its beat, unless another worker keeps the leases meanwhile.
func (c *control) land(partition int) {
	for _, b := range c.burials {
		if !b.missing[partition] {
			continue
		}
		b.missing[partition] = false
		for _, n := range c.w.nodes {
			if n.id == b.Connector && n.beaten > b.at {
				c.w.fail("%s has beaten since it was declared down, and loses its members in partition %d now", b.Connector, partition)
			}
		}
		c.w.down(c.w.logs[partition], b.Death)
		if b.claim == c.claim && !slices.Contains(b.missing[:], true) {
			c.append(schema.ControlKeyBeat(b.Connector), nil)
		}
	}
	c.burials = slices.DeleteFunc(c.burials, func(b *burial) bool { return !slices.Contains(b.missing[:], true) })
}

// readRange calls fn with the records in [from, to).
func (c *control) readRange(from, to int64, fn func(eventlog.Record) error) error {
	for offset := from; offset < to; offset++ {
		if err := fn(eventlog.Record{Offset: offset, Key: []byte(c.records[offset].key), Value: c.records[offset].value}); err != nil {
			return err
		}
	}
	return nil
}

func (c *control) orphans() {
	held := func(yield func(lease.Holding) bool) {
		for p, o := range c.w.owners {
			for _, id := range slices.Sorted(o.fold.Connectors()) {
				if !yield(lease.Holding{Partition: p, Connector: id}) {
					return
				}
			}
		}
	}
	for _, h := range c.machine.Orphans(held) {
		c.w.count("orphans")
		c.w.mayBury(h.Connector)
		c.w.down(c.w.logs[h.Partition], lease.Death{Connector: h.Connector, Reason: schema.Reason_REASON_TIMEOUT})
	}
}

func (w *world) down(l *log, d lease.Death) {
	w.count("downs")
	w.tracef("partition %d: %d: down %s", l.partition, l.end(), d.Connector)
	l.append(encode(&schema.Event{Time: 1, Kind: &schema.Event_Down{Down: &schema.Down{Connector: d.Connector, Reason: d.Reason}}}))
}

// mayBury checks a death with the log: eight ticks of the newest claim
// without a beat in between.
func (w *world) mayBury(connector string) {
	ticks := 0
	for i := len(w.control.records) - 1; i >= 0; i-- {
		r := w.control.records[i]
		var tick schema.Tick
		switch r.key {
		case schema.ControlKeyTick:
			if decode(r.value, &tick); tick.Claim == w.control.claim {
				ticks++
			}
		case schema.ControlKeyClaim, schema.ControlKeyBeat(connector):
			if r.value != nil && ticks < lease.SilentTicks {
				w.fail("%s is declared down %d ticks after its beat or the newest claim", connector, ticks)
			}
			return
		}
	}
}

// beat appends a connector's beat.
func (c *control) beat(n *node) int64 {
	return c.append(schema.ControlKeyBeat(n.id), &schema.Beat{PushPartition: int32(n.pushPartition), Leaving: n.draining})
}
