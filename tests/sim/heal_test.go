package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// heal ends the faults, lets everything arrive and compares it with the log.
func (w *world) heal() {
	w.tracef("no more faults")
	w.healing = true
	w.stragglers = nil
	for p := range partitions {
		w.raise(p)
	}
	for _, c := range w.clients {
		if c.session != nil && c.line.slow {
			c.disconnect(false)
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
		w.nodes = append(w.nodes, w.newNode(0))
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
	for _, name := range channels { // where nobody may write
		w.lives++
		w.logOf(name).append(encode(&schema.Event{Time: w.now(), Connector: fmt.Sprint("api", w.lives), Counter: 1, Kind: &schema.Event_Set{Set: &schema.Set{
			Channel: name, By: bot, Id: fmt.Sprint("backend", w.lives), Topic: new("the end"),
		}}}))
	}
	for _, c := range w.clients {
		for _, name := range channels {
			if c.session != nil && c.rooms[name].member {
				w.messages++
				c.fresh = true
				c.call(rpc.MethodChat, name, rpc.ChatParams{Channel: name, ID: fmt.Sprint("m", w.messages), Body: "still here"})
			}
		}
	}
	w.flow()
}

// visit has a newcomer look at the whole of every channel. A connector that was
// declared down, and was not told yet as it had no members, learns it then.
func (w *world) visit(n *node) {
	c := w.newClient("dot")
	w.clients = append(w.clients, c)
	c.connect(n, w.cfg.Limits.Queue)
	for _, name := range channels {
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
			moved = moved || n.at < len(w.pushes[n.pushPartition])
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

func drainProducer(p *producer) (moved bool) {
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
			case r.event.GetChange() != nil && r.void:
				w.count("void changes")
			case r.event.GetWatch() != nil:
				w.count("watches")
			case r.event.GetJoin() != nil && r.void:
				w.count("void joins")
			case r.event != nil:
				w.count("events")
			}
		}
	}
}
