package checker

import (
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// PushRecord is one record of parley.push.
type PushRecord struct {
	Offset int64
	Push   *schema.Push
}

// pushKey is the stamp of a push, and to whom it goes.
type pushKey struct {
	connector string
	partition int32
	offset    int64
	index     int32
}

func keyOf(p *schema.Push) pushKey { return pushKey{p.Connector, p.Partition, p.Offset, p.Index} }

// checkFold folds the log with the workers' own code and compares the result
// with the membership according to the log, and with what workers pushed.
func (c *check) checkFold() {
	expected := map[pushKey]*schema.Push{}
	for p, records := range c.Log.Partitions {
		f := fold.New(fold.Log{Partition: int32(p), Epoch: c.Log.Epoch, TopicID: c.Log.TopicID, Window: c.Log.Window})
		for _, r := range records {
			out, err := f.Apply(r.Offset, r.Event)
			if err != nil {
				c.violate(Fold, nil, "", r.Offset, "partition %d cannot be folded: %v", p, err)
				break
			}
			for _, o := range out {
				expected[keyOf(o.Push)] = o.Push
			}
		}
		c.checkState(p, f)
	}
	if c.Pushes != nil {
		c.checkPushes(expected)
	}
}

// checkState compares the fold's memberships with those of the log.
func (c *check) checkState(partition int, f *fold.Fold) {
	records, err := f.Flush(0)
	if err != nil {
		c.violate(Fold, nil, "", 0, "partition %d: %v", partition, err)
		return
	}
	c.checkSanctionState(partition, records)
	members := 0
	for _, r := range records {
		session, name, ok := schema.StateMemberOf(string(r.Key))
		if !ok || r.Value == nil {
			continue
		}
		members++
		if c.truth.channel(name).present[session] == nil {
			c.violate(Fold, nil, name, 0, "the fold has session %s as a member, the log has not", session)
		}
	}
	want := 0
	for _, ch := range c.truth.channels {
		if schema.PartitionOf(ch.name, len(c.Log.Partitions)) == partition {
			want += len(ch.present)
		}
	}
	if members != want {
		c.violate(Fold, nil, "", 0, "the fold of partition %d has %d members, the log %d", partition, members, want)
	}
}

// checkPushes checks that workers, zombies too, emitted the fold and nothing
// else, and in the end all of it, in the order of its chain.
func (c *check) checkPushes(expected map[pushKey]*schema.Push) {
	seen := map[pushKey]bool{}
	type source struct {
		connector string
		partition int32
	}
	last := map[source]pushKey{}
	for _, records := range c.Pushes {
		for _, r := range records {
			key := keyOf(r.Push)
			want := expected[key]
			if want == nil || !c.means(want, r.Push) {
				c.violate(Fold, nil, "", key.offset, "connector %s got a push of partition %d, index %d, that the log does not mean", key.connector, key.partition, key.index)
				continue
			}
			from := source{key.connector, key.partition}
			if prev := last[from]; !seen[key] && (r.Push.PrevOffset != prev.offset || r.Push.PrevIndex != prev.index) {
				c.violate(Fold, nil, "", key.offset, "connector %s got a push of partition %d, index %d, out of order", key.connector, key.partition, key.index)
			}
			if !seen[key] {
				seen[key], last[from] = true, key
			}
		}
	}
	if !c.Drained {
		return
	}
	for key := range expected {
		if !seen[key] {
			c.violate(Fold, nil, "", key.offset, "connector %s never got the push of partition %d, index %d", key.connector, key.partition, key.index)
		}
	}
}

// means reports whether a push is what the log means.
func (c *check) means(want, got *schema.Push) bool {
	return proto.Equal(want, got) || c.Older && proto.Equal(withoutUntouched(want), got)
}

// withoutUntouched is a push of a worker that does not know what is untouched.
func withoutUntouched(p *schema.Push) *schema.Push {
	p = proto.CloneOf(p)
	for _, u := range p.Updates {
		if s := u.GetSnapshot(); s != nil {
			s.Untouched = false
		}
	}
	return p
}
