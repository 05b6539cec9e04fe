package fold

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Record is one record of parley.state. A nil value is a tombstone.
type Record struct {
	Key   string
	Value []byte
}

// dirtyKeys are the keys whose values changed since the newest checkpoint.
type dirtyKeys struct {
	connectors map[string]struct{}
	members    map[memberKey]struct{}
	channels   map[string]struct{}
	settings   map[string]struct{} // by channel
	pins       map[string]struct{} // by channel
	infos      map[userKey]struct{}
	sanctions  map[userKey]struct{}
	watches    map[watchKey]struct{}
}

type memberKey struct{ session, channel string }

func (k memberKey) compare(o memberKey) int {
	return cmp.Or(cmp.Compare(k.session, o.session), cmp.Compare(k.channel, o.channel))
}

type userKey struct{ channel, user string }

func (k userKey) compare(o userKey) int {
	return cmp.Or(cmp.Compare(k.channel, o.channel), cmp.Compare(k.user, o.user))
}

type watchKey struct{ connector, channel string }

func (k watchKey) compare(o watchKey) int {
	return cmp.Or(cmp.Compare(k.connector, o.connector), cmp.Compare(k.channel, o.channel))
}

func newDirtyKeys() dirtyKeys {
	return dirtyKeys{
		connectors: map[string]struct{}{}, members: map[memberKey]struct{}{}, channels: map[string]struct{}{},
		settings: map[string]struct{}{}, pins: map[string]struct{}{},
		infos: map[userKey]struct{}{}, sanctions: map[userKey]struct{}{}, watches: map[watchKey]struct{}{},
	}
}

func (d *dirtyKeys) connector(id string) { d.connectors[id] = struct{}{} }

func (d *dirtyKeys) member(session, channel string) {
	d.members[memberKey{session, channel}] = struct{}{}
}

func (d *dirtyKeys) channel(name string) { d.channels[name] = struct{}{} }

func (d *dirtyKeys) info(channel, user string) { d.infos[userKey{channel, user}] = struct{}{} }

func (d *dirtyKeys) sanction(channel, user string) { d.sanctions[userKey{channel, user}] = struct{}{} }

func (d *dirtyKeys) watch(connector, channel string) {
	d.watches[watchKey{connector, channel}] = struct{}{}
}

// Changed reports whether a flush would write anything new.
func (f *Fold) Changed() bool { return f.next > f.saved }

// Flush returns what changed since the flush before, each key at most once,
// and ends with the marker. The records are to be written in this order, once
// every push of an event below Next is acknowledged; the Fold counts them as
// written. time is for people to read, in milliseconds since the Unix epoch.
func (f *Fold) Flush(time int64) ([]Record, error) {
	d := f.dirty
	b := &builder{records: make([]Record, 0, len(d.connectors)+len(d.members)+len(d.channels)+1)}
	kept := f.flushConnectors(b)
	f.flushMembers(b)
	f.flushWatches(b)
	for _, name := range slices.Sorted(maps.Keys(d.channels)) {
		ch := f.channels[name]
		b.put(schema.StateKeyChannel(name), &schema.StateChannel{Last: ch.last, Clast: ch.clast, Private: f.moreOf(name).private})
	}
	f.flushMore(b)
	b.put(schema.StateKeyMarker, &schema.StateMarker{
		Next: f.next, Epoch: f.log.Epoch, TopicId: f.log.TopicID[:], Format: f.format.InForce, Time: time, Digest: f.digest, Whole: f.whole,
	})
	if b.err != nil {
		return nil, b.err
	}
	f.gone, f.dirty, f.saved = map[string]*connector{}, kept, f.next
	return b.records, nil
}

// flushConnectors returns the keys that the next flush must write.
func (f *Fold) flushConnectors(b *builder) (kept dirtyKeys) {
	kept = newDirtyKeys()
	for _, id := range slices.Sorted(maps.Keys(f.dirty.connectors)) {
		if f.sent[id].offset >= f.next { // what a torn flush recorded of it must not be lost
			kept.connector(id)
			continue
		}
		c, known := f.connectors[id]
		x, gone := f.gone[id]
		switch {
		case known:
			b.put(schema.StateKeyConnector(id), c.state(false))
		case gone:
			b.put(schema.StateKeyConnector(id), x.state(true))
			kept.connector(id)
		default:
			b.remove(schema.StateKeyConnector(id))
		}
	}
	return kept
}

func (c *connector) state(gone bool) *schema.StateConnector {
	return &schema.StateConnector{
		PushPartition: c.pushPartition, Offset: c.last.offset, Index: c.last.index, Gone: gone,
	}
}

func (f *Fold) flushMembers(b *builder) {
	keys := slices.SortedFunc(maps.Keys(f.dirty.members), memberKey.compare)
	for _, k := range keys {
		key := schema.StateKeyMember(k.session, k.channel)
		m, known := member{}, false
		if ch := f.channels[k.channel]; ch != nil {
			m, known = ch.members[k.session]
		}
		if !known {
			b.remove(key)
			continue
		}
		b.put(key, &schema.StateMember{
			Channel: k.channel, Session: k.session, User: m.user, Connector: m.connector.id, Offset: m.offset,
		})
	}
}

func (f *Fold) flushWatches(b *builder) {
	for _, k := range slices.SortedFunc(maps.Keys(f.dirty.watches), watchKey.compare) {
		key := schema.StateKeyWatch(k.connector, k.channel)
		if at := f.watchOf(k.connector, k.channel); at > 0 {
			b.put(key, &schema.StateWatch{Offset: at})
		} else {
			b.remove(key)
		}
	}
}

// flushMore writes what few channels have.
func (f *Fold) flushMore(b *builder) {
	for _, k := range slices.SortedFunc(maps.Keys(f.dirty.infos), userKey.compare) {
		key := schema.StateKeyInfo(k.channel, k.user)
		if info := f.moreOf(k.channel).infos[k.user]; info != nil {
			b.put(key, &schema.StateInfo{Info: info})
		} else {
			b.remove(key)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(f.dirty.sanctions), userKey.compare) {
		key := schema.StateKeySanction(k.channel, k.user)
		if s, found := f.moreOf(k.channel).sanctions[k.user]; found {
			b.put(key, s.state())
		} else {
			b.remove(key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.dirty.settings)) {
		b.put(schema.StateKeySettings(name), f.moreOf(name).settings)
	}
	for _, name := range slices.Sorted(maps.Keys(f.dirty.pins)) {
		b.put(schema.StateKeyPins(name), f.moreOf(name).pins)
	}
}

// moreOf is what few channels have, to be read.
func (f *Fold) moreOf(channel string) more {
	if ch := f.channels[channel]; ch != nil && ch.more != nil {
		return *ch.more
	}
	return more{}
}

// marshal writes the same bytes for the same state.
var marshal = proto.MarshalOptions{Deterministic: true}

// builder collects records and the first error.
type builder struct {
	records []Record
	err     error
}

func (b *builder) put(key string, value proto.Message) {
	v, err := marshal.Marshal(value)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("encode checkpoint record %q: %w", key, err)
	}
	if v == nil {
		v = []byte{} // a message of defaults only is not a tombstone
	}
	b.records = append(b.records, Record{key, v})
}

func (b *builder) remove(key string) { b.records = append(b.records, Record{Key: key}) }
