package connector

import (
	"fmt"

	"github.com/parley-chat/parley/schema"
)

// stamp is the position of a push: the event's offset in its partition, and
// an index within the event.
type stamp struct {
	offset int64
	index  int32
}

func (s stamp) after(t stamp) bool {
	return s.offset > t.offset || s.offset == t.offset && s.index > t.index
}

// pushChain is the newest push seen from each partition of the events. It
// makes one stream, without a repeat or a gap, of what workers write at least
// once. Pure; not safe for concurrent use.
type pushChain map[int32]stamp

// lostPush reports that a push never arrived: what the connector knows of its
// channels is no longer true.
type lostPush struct {
	partition  int32
	have, want stamp
}

func (e *lostPush) Error() string {
	return fmt.Sprintf("a push of partition %d is lost: the newest seen is %d/%d, the next one follows %d/%d",
		e.partition, e.have.offset, e.have.index, e.want.offset, e.want.index)
}

// accept reports whether p is new. Repeats are dropped before the chain is
// compared, as a replay need not carry the same predecessor. The error is a
// *lostPush.
func (w pushChain) accept(p *schema.Push) (bool, error) {
	have, this := w[p.Partition], stamp{p.Offset, p.Index}
	if !this.after(have) {
		return false, nil
	}
	if want := (stamp{p.PrevOffset, p.PrevIndex}); want != have {
		return false, &lostPush{p.Partition, have, want}
	}
	w[p.Partition] = this
	return true, nil
}
