package fold

import (
	"fmt"
	"iter"

	"github.com/parley-chat/parley/schema"
)

// MaxPush bounds a push in bytes. An event that means more for one connector
// takes several pushes.
const MaxPush = 512 << 10

// Log is what a Fold must know of the log besides its events.
type Log struct {
	Partition int32
	// Epoch and TopicID name the incarnation of the log. A checkpoint or a
	// marker of another one is refused.
	Epoch   string
	TopicID [16]byte
	// Window is the width of the void window in offsets.
	Window int64
}

// Fold is the state of one partition at one offset. Not safe for concurrent
// use.
type Fold struct {
	log    Log
	limit  int   // of a push, in bytes
	pins   int   // of a channel
	next   int64 // every event below is in the state
	saved  int64 // next at the newest checkpoint
	digest uint64
	whole  bool // it knows every channel in which anything was said, privately too
	format schema.FormatGuard

	window     *schema.VoidWindow
	voids      *voidActs
	channels   map[string]*channel
	connectors map[string]*connector
	gone       map[string]*connector // declared down since the newest checkpoint
	dirty      dirtyKeys
	sanctions  int64 // mutes and bans of all channels
	settings   int64 // channels that have settings or pins
	// The newest push to a connector that is known to be in parley.push,
	// where it lies above the checkpoint.
	sent map[string]stamp
}

// connector is where the pushes to one life of one connector go. It exists
// from the connector's first join or watch in the partition until its down.
type connector struct {
	id            string
	pushPartition int32
	last          stamp               // of the newest push
	channels      map[string]*channel // in which it has members, or which it watches
}

// stamp is a push's place among those of its partition to its connector.
type stamp struct {
	offset int64
	index  int32
}

// Out is a push and the partition of parley.push that it goes to. The record's
// key is the connector's id.
type Out struct {
	PushPartition int32
	Push          *schema.Push
}

// New returns the Fold of a partition of which nothing was read yet.
func New(log Log) *Fold {
	f := &Fold{
		log:        log,
		limit:      MaxPush,
		pins:       schema.MaxPins,
		channels:   map[string]*channel{},
		connectors: map[string]*connector{},
		gone:       map[string]*connector{},
		dirty:      newDirtyKeys(),
	}
	f.setWindow(log.Window)
	return f
}

func (f *Fold) setWindow(n int64) {
	f.log.Window = n
	f.window = schema.NewVoidWindow(n)
	f.voids = newVoidActs(n)
}

// Next is the offset below which every event is in the state.
func (f *Fold) Next() int64 { return f.next }

// ReadFrom is the offset from which the log is to be applied to a new or
// restored Fold.
func (f *Fold) ReadFrom() int64 { return max(0, f.next-2*f.log.Window) }

// Format is the format in force.
func (f *Fold) Format() int32 { return f.format.InForce }

// Connectors yields, in no order, the connectors that have members here or watch a
// channel.
func (f *Fold) Connectors() iter.Seq[string] {
	return func(yield func(string) bool) {
		for id, c := range f.connectors {
			if len(c.channels) > 0 && !yield(id) {
				return
			}
		}
	}
}

// Apply takes the event at offset into the state and returns the pushes that
// it causes, those of one connector in order. Offsets must ascend; holes
// are allowed. An event below Next, which a restored Fold is given first, only
// fills the void window. The pushes are the caller's, but they share their
// updates, and these parts of the event, and must not be changed. The error is a
// *MismatchError when the log is not the one the Fold belongs to, or a
// *schema.NewerError, before which the event changed nothing, when the event needs a
// format that is not in force yet.
func (f *Fold) Apply(offset int64, e *schema.Event) ([]Out, error) {
	if m := e.GetMarker(); m != nil {
		return nil, f.marker(offset, m)
	}
	if err := f.format.Judge(offset, e); err != nil {
		return nil, fmt.Errorf("offset %d of partition %d: %w", offset, f.log.Partition, err)
	}
	void := f.window.Judge(offset, e)
	f.voids.forget(offset)
	if void && isAct(e) {
		f.voids.add(offset, e.Channel())
	}
	if offset < f.next {
		return nil, nil
	}
	f.Advance(offset + 1)
	s := step{fold: f, offset: offset, time: e.Time}
	s.apply(e, void)
	return s.out, nil
}

// isAct reports whether the event has an id: where it is void, connectors are told.
func isAct(e *schema.Event) bool {
	switch e.Kind.(type) {
	case *schema.Event_Chat, *schema.Event_Change, *schema.Event_Pin, *schema.Event_Sanction, *schema.Event_Purge, *schema.Event_Set:
		return true
	}
	return false
}

// Remember gives the Fold the digest of the record below Next, which the
// checkpoint keeps. Applying an event or advancing forgets it.
func (f *Fold) Remember(digest uint64) { f.digest = digest }

// Digest is the digest remembered of the record below Next; 0: none.
func (f *Fold) Digest() uint64 { return f.digest }

// Advance records that no event below next will follow: the records in between
// are corrupt, or there are none.
func (f *Fold) Advance(next int64) {
	if next > f.next {
		f.next, f.digest = next, 0
	}
}

// marker applies the marker at offset 0. One above it is ignored.
func (f *Fold) marker(offset int64, m *schema.Marker) error {
	if offset == 0 && m.Epoch != f.log.Epoch {
		return &MismatchError{Partition: f.log.Partition, What: "marker", Have: "epoch " + m.Epoch, Want: "epoch " + f.log.Epoch}
	}
	if offset == 0 && f.next == 0 {
		f.setWindow(m.Window)
		f.format.InForce = m.Format
		f.whole = true
	}
	f.Advance(offset + 1)
	return nil
}

// MismatchError says that a partition's marker or checkpoint belongs to
// another log.
type MismatchError struct {
	Partition  int32
	What       string // "marker" or "checkpoint"
	Have, Want string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the %s of partition %d belongs to %s, the log is %s: start the workers on the log that they belong to, or begin a new epoch with `parley epoch new`", e.What, e.Partition, e.Have, e.Want)
}
