package sim

import (
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// raises are what a run knows of the format of its log, which an older parley began
// in some runs: that of each partition is raised some time. A worker stops at an
// event of format 2 that comes before, so connectors must not be early.
type raises struct {
	older  bool
	raised [partitions]bool
}

// newer reports whether a partition is in format 2.
func (r *raises) newer(partition int) bool { return !r.older || r.raised[partition] }

// beginning is the format in which the log begins.
func (r *raises) beginning() int32 {
	if r.older {
		return 1
	}
	return 2
}

// raise raises the format of a partition, unless it is raised.
func (w *world) raise(partition int) {
	if w.formats.newer(partition) {
		return
	}
	w.tracef("the format of partition %d is raised", partition)
	w.formats.raised[partition] = true
	w.logs[partition].append(encode(&schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}}))
	w.count("raised")
}

// learn takes note of the format that a push gives for its partition.
func (n *node) learn(value []byte) {
	if !n.w.formats.older {
		return
	}
	p := new(schema.Push)
	decode(value, p)
	n.newer[p.Partition] = n.newer[p.Partition] || p.Format >= 2
}

// knowsNewer reports whether the client's connector must know that a channel is in
// format 2.
func (c *client) knowsNewer(channel string) bool {
	return !c.w.formats.older || c.node.newer[schema.PartitionOf(channel, partitions)]
}

// tooNew takes the refusal of what came with format 2.
func (c *client) tooNew(call *call, bad *rpc.Error) {
	p, is := call.params.(rpc.ChatParams)
	if call.newer || is && p.Type == "" && p.Data == nil && p.Reply == 0 && p.Mentions == nil {
		c.w.fail("%s: %s is refused: %v", c.user, call.method, bad)
	}
	c.w.count("refused in format 1")
}
