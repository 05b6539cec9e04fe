package fold

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Restore rebuilds the Fold from the newest value of each key in the
// partition of parley.state; keys with a tombstone are absent. Without a
// marker, as after a torn first flush, it begins at offset 0. The error is a
// *MismatchError when the checkpoint is another log's, a *schema.NewerError
// when a newer parley wrote it.
func Restore(log Log, state map[string][]byte) (*Fold, error) {
	f := New(log)
	f.sent = map[string]stamp{}
	if value, found := state[schema.StateKeyMarker]; found {
		if err := f.restoreMarker(value); err != nil {
			return nil, err
		}
	}
	if err := f.restore(state); err != nil {
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
// that does not depend on the map. Channels depend on nothing, and there are as
// many as were ever used.
func (f *Fold) restore(state map[string][]byte) error {
	var connectors, members []string
	f.channels = make(map[string]*channel, len(state))
	var m schema.StateChannel
	for key, value := range state {
		if name, ok := schema.StateChannelOf(key); ok {
			m.Reset()
			if err := proto.Unmarshal(value, &m); err != nil {
				return &corruptError{f.log.Partition, key, err}
			}
			f.channel(name).last = m.Last
		} else if _, _, ok := schema.StateMemberOf(key); ok {
			members = append(members, key)
		} else {
			connectors = append(connectors, key)
		}
	}
	slices.Sort(connectors)
	for _, key := range connectors {
		if id, ok := schema.StateConnectorOf(key); ok {
			if err := f.restoreConnector(id, state[key]); err != nil {
				return &corruptError{f.log.Partition, key, err}
			}
		}
	}
	slices.Sort(members)
	for _, key := range members {
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
