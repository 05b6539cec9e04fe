package fold

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Checkpoint collects the newest value of each key of a partition of
// parley.state. Channels, of which there are as many as were ever used, are
// decoded as they come: their records need not be kept.
type Checkpoint struct {
	values   map[string][]byte // of everything but channels
	channels map[string]*channel
	damaged  map[string]error // by the key of a channel
	scratch  schema.StateChannel
}

// NewCheckpoint returns one that has no record yet.
func NewCheckpoint() *Checkpoint {
	return &Checkpoint{values: map[string][]byte{}, channels: map[string]*channel{}, damaged: map[string]error{}}
}

// Put takes the partition's next record. A value must not change afterwards.
func (c *Checkpoint) Put(r Record) {
	if name, ok := schema.StateChannelOf(r.Key); ok {
		c.putChannel(name, r)
	} else if r.Value == nil {
		delete(c.values, r.Key)
	} else {
		c.values[r.Key] = r.Value
	}
}

// putChannel leaves a damaged record to Restore, which checks first whether a
// newer parley wrote it. A newer record of the channel replaces it.
func (c *Checkpoint) putChannel(name string, r Record) {
	delete(c.damaged, r.Key)
	if r.Value == nil {
		delete(c.channels, name)
		return
	}
	if err := proto.Unmarshal(r.Value, &c.scratch); err != nil {
		c.damaged[r.Key] = err
		return
	}
	c.channels[name] = &channel{name: name, last: c.scratch.Last}
}

// Restore rebuilds the Fold from a checkpoint, which the Fold then owns.
// Without a marker, as after a torn first flush, it begins at offset 0. The
// error is a *MismatchError when the checkpoint is another log's, a
// *schema.NewerError when a newer parley wrote it.
func Restore(log Log, c *Checkpoint) (*Fold, error) {
	f := New(log)
	f.sent = map[string]stamp{}
	if value, found := c.values[schema.StateKeyMarker]; found {
		if err := f.restoreMarker(value); err != nil {
			return nil, err
		}
	}
	for key, err := range c.damaged {
		return nil, &corruptError{f.log.Partition, key, err}
	}
	f.channels = c.channels
	if err := f.restore(c.values); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Fold) restoreMarker(value []byte) error {
	m := new(schema.StateMarker)
	if err := proto.Unmarshal(value, m); err != nil {
		return &corruptError{f.log.Partition, schema.StateKeyMarker, err}
	}
	f.next, f.saved, f.format, f.digest = m.Next, m.Next, m.Format, m.Digest
	return f.checkMarker(m)
}

func (f *Fold) checkMarker(m *schema.StateMarker) error {
	if m.Epoch != f.log.Epoch || string(m.TopicId) != string(f.log.TopicID[:]) {
		return &MismatchError{
			Partition: f.log.Partition, What: "checkpoint",
			Have: fmt.Sprintf("epoch %s, topic %x", m.Epoch, m.TopicId),
			Want: fmt.Sprintf("epoch %s, topic %x", f.log.Epoch, f.log.TopicID),
		}
	}
	if m.Format > schema.NewestFormat {
		return &schema.NewerError{What: "format", Number: m.Format}
	}
	return nil
}

// restore takes connectors before the members that refer to them, in an order
// that does not depend on the map.
func (f *Fold) restore(state map[string][]byte) error {
	keys := slices.Sorted(maps.Keys(state))
	for _, key := range keys {
		if id, ok := schema.StateConnectorOf(key); ok {
			if err := f.restoreConnector(id, state[key]); err != nil {
				return &corruptError{f.log.Partition, key, err}
			}
		}
	}
	for _, key := range keys {
		if session, name, ok := schema.StateMemberOf(key); ok {
			if err := f.restoreMember(session, name, state[key]); err != nil {
				return &corruptError{f.log.Partition, key, err}
			}
		}
	}
	return nil
}

func (f *Fold) restoreConnector(id string, value []byte) error {
	var s schema.StateConnector
	if err := proto.Unmarshal(value, &s); err != nil {
		return err
	}
	last := stamp{s.Offset, s.Index}
	if s.Gone && last.offset < f.next {
		f.dirty.connector(id)
		return nil
	}
	f.connectors[id] = &connector{id: id, pushPartition: s.PushPartition, last: last, channels: map[string]*channel{}}
	if last.offset >= f.next {
		f.sent[id] = last
	}
	return nil
}

func (f *Fold) restoreMember(session, name string, value []byte) error {
	var s schema.StateMember
	if err := proto.Unmarshal(value, &s); err != nil {
		return err
	}
	c, known := f.connectors[s.Connector]
	if !known {
		return errors.New("a member whose connector is unknown")
	}
	f.channel(name).add(session, member{user: s.User, connector: c, offset: s.Offset})
	return nil
}

// corruptError says that a checkpoint cannot be used.
type corruptError struct {
	partition int32
	key       string
	err       error
}

func (e *corruptError) Error() string {
	return fmt.Sprintf("the checkpoint of partition %d is damaged at key %q (%v): stop all workers, delete topic %s and start them again; they rebuild it from the log", e.partition, e.key, e.err, schema.TopicState)
}

func (e *corruptError) Unwrap() error { return e.err }
