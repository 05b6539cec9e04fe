package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// checkpoint is what a partition of parley.state holds at its newest marker.
type checkpoint struct {
	marker *schema.StateMarker // nil: none
	values map[string][]byte
	// Values after the marker: a flush under way, or one torn by a crash. What
	// these keys were at the marker may be compacted away.
	pending map[string][]byte
}

func newCheckpoint() *checkpoint {
	return &checkpoint{values: map[string][]byte{}, pending: map[string][]byte{}}
}

// add takes the next record of the partition.
func (c *checkpoint) add(key string, value []byte) error {
	switch key {
	case schema.StateKeyClaim:
		return nil
	case schema.StateKeyMarker:
		m := new(schema.StateMarker)
		if err := proto.Unmarshal(value, m); err != nil {
			return fmt.Errorf("the marker cannot be read: %w", err)
		}
		c.marker = m
		apply(c.values, c.pending)
		clear(c.pending)
	default:
		c.pending[key] = value
	}
	return nil
}

// apply puts the newer values of keys in place; nil removes one.
func apply(values, newer map[string][]byte) {
	for key, value := range newer {
		if value == nil {
			delete(values, key)
		} else {
			values[key] = value
		}
	}
}

// next is the offset up to which the checkpoint is the fold.
func (c *checkpoint) next() int64 { return c.marker.GetNext() }

// stamp is a push's place among those of its partition to its connector.
type stamp struct {
	offset int64
	index  int32
}

func (s stamp) compare(o stamp) int {
	return cmp.Or(cmp.Compare(s.offset, o.offset), cmp.Compare(s.index, o.index))
}

// folded is the state that the log makes, gathered from a Fold now and then so
// that the Fold need not remember every key that ever changed.
type folded struct {
	fold   *fold.Fold
	values map[string][]byte
	events int
}

// gatherEvery is after how many events the changed keys are gathered.
const gatherEvery = 200_000

func newFolded(log fold.Log) *folded {
	return &folded{fold: fold.New(log), values: map[string][]byte{}}
}

// apply takes the event at offset.
func (f *folded) apply(offset int64, e *schema.Event) error {
	if _, err := f.fold.Apply(offset, e); err != nil {
		return err
	}
	if f.events++; f.events%gatherEvery == 0 {
		return f.gather()
	}
	return nil
}

func (f *folded) gather() error {
	records, err := f.fold.Flush(0)
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Key != schema.StateKeyMarker {
			apply(f.values, map[string][]byte{r.Key: r.Value})
		}
	}
	return nil
}

// stateCheck compares a checkpoint with the fold up to its marker.
type stateCheck struct {
	partition int
	stored    *checkpoint
	want      map[string][]byte
	out       *collector

	torn     bool  // facts from above the marker are among the values
	doubtful int64 // differences that this may explain
}

func (c *stateCheck) run() {
	c.torn = c.hasFuture()
	keys := maps.Clone(c.want)
	maps.Copy(keys, c.stored.values)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, unknown := c.stored.pending[key]; unknown {
			continue
		}
		if id, ok := schema.StateConnectorOf(key); ok {
			c.connector(key, id)
		} else if session, channel, ok := schema.StateMemberOf(key); ok {
			c.member(key, session, channel)
		} else if channel, ok := schema.StateChannelOf(key); ok {
			c.channel(key, channel)
		} else {
			c.more(key)
		}
	}
	if c.doubtful > 0 {
		c.out.unsettled("partition %d: %d keys of the checkpoint differ from the fold, and a crash tore a later flush: let a chat worker get past that point and verify again", c.partition, c.doubtful)
	}
}

// hasFuture reports whether a connector's stamp is above the marker, which only
// a torn flush leaves.
func (c *stateCheck) hasFuture() bool {
	for key, value := range c.stored.values {
		if _, ok := schema.StateConnectorOf(key); !ok {
			continue
		}
		var s schema.StateConnector
		if proto.Unmarshal(value, &s) == nil && s.Offset >= c.stored.next() {
			return true
		}
	}
	return false
}

func (c *stateCheck) differ(channel, format string, args ...any) {
	if c.torn {
		c.doubtful++
		return
	}
	c.out.differ(PlaceCheckpoint, c.partition, c.stored.next(), channel, format, args...)
}

// connector compares which partition a connector is pushed to. Its stamp may be newer
// than the fold's, never older.
func (c *stateCheck) connector(key, id string) {
	var want, got schema.StateConnector
	if !c.decode(key, &want, &got) {
		return
	}
	wanted := c.want[key] != nil && !want.Gone
	there := c.stored.values[key] != nil && !got.Gone
	was, is := stamp{want.Offset, want.Index}, stamp{got.Offset, got.Index}
	switch {
	case wanted && !there:
		c.differ("", "connector %s is missing", id)
	case !wanted && there:
		c.differ("", "connector %s is present but was declared down, or never joined", id)
	case !wanted:
	case want.PushPartition != got.PushPartition:
		c.differ("", "connector %s is pushed to in partition %d, but named %d", id, got.PushPartition, want.PushPartition)
	case is.compare(was) < 0:
		c.differ("", "the last push to connector %s is stamped (%d, %d), the fold had reached (%d, %d)", id, is.offset, is.index, was.offset, was.index)
	}
}

func (c *stateCheck) member(key, session, channel string) {
	var want, got schema.StateMember
	if !c.decode(key, &want, &got) {
		return
	}
	c.out.report.Members++
	switch {
	case c.stored.values[key] == nil:
		c.differ(channel, "session %s is a member and is missing", session)
	case c.want[key] == nil:
		c.differ(channel, "session %s is present and is not a member", session)
	case !proto.Equal(&want, &got):
		c.differ(channel, "the membership of session %s is another one", session)
	}
}

func (c *stateCheck) channel(key, channel string) {
	var want, got schema.StateChannel
	if !c.decode(key, &want, &got) {
		return
	}
	if want.Last != got.Last {
		c.differ(channel, "the newest public message is at %d, the checkpoint has %d", want.Last, got.Last)
	}
	if want.Clast != got.Clast {
		c.differ(channel, "the newest public change is at %d, the checkpoint has %d", want.Clast, got.Clast)
	}
	if c.stored.marker.GetWhole() && want.Private && got.Last == 0 && got.Clast == 0 && !got.Private {
		c.differ(channel, "it had private messages, and the checkpoint has no sign of them")
	}
}

// more compares what few channels have.
func (c *stateCheck) more(key string) {
	if channel, user, ok := schema.StateInfoOf(key); ok {
		c.same(key, channel, "the info of user "+user, &schema.StateInfo{}, &schema.StateInfo{})
	} else if channel, user, ok := schema.StateSanctionOf(key); ok {
		c.same(key, channel, "the sanction of user "+user, &schema.StateSanction{}, &schema.StateSanction{})
	} else if connector, channel, ok := schema.StateWatchOf(key); ok {
		c.same(key, channel, "the watch of connector "+connector, &schema.StateWatch{}, &schema.StateWatch{})
	} else if channel, ok := schema.StateSettingsOf(key); ok {
		c.same(key, channel, "the settings", &schema.StateSettings{}, &schema.StateSettings{})
	} else if channel, ok := schema.StatePinsOf(key); ok {
		c.same(key, channel, "the pins", &schema.StatePins{}, &schema.StatePins{})
	}
}

func (c *stateCheck) same(key, channel, what string, want, got proto.Message) {
	switch {
	case c.stored.values[key] == nil:
		c.differ(channel, "%s: missing", what)
	case c.want[key] == nil:
		c.differ(channel, "%s: present, and should not be", what)
	case c.decode(key, want, got) && !proto.Equal(want, got):
		c.differ(channel, "%s: not what the log says", what)
	}
}

// decode reads both values of a key, absent ones as zero.
func (c *stateCheck) decode(key string, want, got proto.Message) bool {
	if err := proto.Unmarshal(c.want[key], want); err != nil {
		c.differ("", "the fold's value of key %q cannot be read", key)
		return false
	}
	if err := proto.Unmarshal(c.stored.values[key], got); err != nil {
		c.differ("", "the value of key %q cannot be read", key)
		return false
	}
	return true
}
