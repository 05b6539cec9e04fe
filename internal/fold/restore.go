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
	ch := &channel{name: name, last: c.scratch.Last, clast: c.scratch.Clast}
	if c.scratch.Private {
		ch.extra().private = true
	}
	c.channels[name] = ch
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
	f.next, f.saved, f.format.InForce, f.digest, f.whole = m.Next, m.Next, m.Format, m.Digest, m.Whole
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

// restore takes connectors before the members and watches that refer to them, and
// members before their info, in an order that does not depend on the map.
func (f *Fold) restore(state map[string][]byte) error {
	keys := slices.Sorted(maps.Keys(state))
	for _, take := range []func(key string, value []byte) error{f.restoreConnector, f.restoreMember, f.restoreMore} {
		for _, key := range keys {
			if err := take(key, state[key]); err != nil {
				return &corruptError{f.log.Partition, key, err}
			}
		}
	}
	return nil
}

func (f *Fold) restoreConnector(key string, value []byte) error {
	id, ok := schema.StateConnectorOf(key)
	if !ok {
		return nil
	}
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

func (f *Fold) restoreMember(key string, value []byte) error {
	if session, name, ok := schema.StateMemberOf(key); ok {
		var s schema.StateMember
		if err := proto.Unmarshal(value, &s); err != nil {
			return err
		}
		c, known := f.connectors[s.Connector]
		if !known {
			return errors.New("a member whose connector is unknown")
		}
		f.channel(name).add(session, member{user: s.User, connector: c, offset: s.Offset})
	} else if id, name, ok := schema.StateWatchOf(key); ok {
		var s schema.StateWatch
		if err := proto.Unmarshal(value, &s); err != nil {
			return err
		}
		c, known := f.connectors[id]
		if !known || s.Offset < 1 {
			return errors.New("a watch without an offset, or whose connector is unknown")
		}
		sub, _ := f.channel(name).subscribe(c)
		sub.watch = s.Offset
	}
	return nil
}

// restoreMore takes what few channels have.
func (f *Fold) restoreMore(key string, value []byte) error {
	if name, user, ok := schema.StateInfoOf(key); ok {
		return f.restoreInfo(name, user, value)
	}
	if name, user, ok := schema.StateSanctionOf(key); ok {
		return f.restoreSanction(name, user, value)
	}
	if name, ok := schema.StateSettingsOf(key); ok {
		s := new(schema.StateSettings)
		if err := proto.Unmarshal(value, s); err != nil {
			return err
		}
		f.settle(f.channel(name)).settings = s
	}
	if name, ok := schema.StatePinsOf(key); ok {
		s := new(schema.StatePins)
		if err := proto.Unmarshal(value, s); err != nil {
			return err
		}
		f.settle(f.channel(name)).pins = s
	}
	return nil
}

// restoreInfo leaves out the info of a user who is not there, which only a torn
// flush leaves; the next flush puts it right.
func (f *Fold) restoreInfo(name, user string, value []byte) error {
	var s schema.StateInfo
	if err := proto.Unmarshal(value, &s); err != nil {
		return err
	}
	ch := f.channels[name]
	if ch == nil || ch.users[user] == 0 {
		f.dirty.info(name, user)
		return nil
	}
	m := ch.extra()
	if m.infos == nil {
		m.infos = map[string][]byte{}
	}
	m.infos[user] = s.Info
	return nil
}

func (f *Fold) restoreSanction(name, user string, value []byte) error {
	var s schema.StateSanction
	if err := proto.Unmarshal(value, &s); err != nil {
		return err
	}
	f.keepSanction(f.channel(name), user, sanction{restrictionOf(s.Mute), restrictionOf(s.Ban)})
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
