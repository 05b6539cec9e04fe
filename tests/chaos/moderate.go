package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/checker"
)

// moderateEvery is the time between two of what moderators do.
const moderateEvery = 700 * time.Millisecond

// moderate writes purges, sanctions and settings to the log, as a backend does, until
// the clients have to be quiet. All sanctions have an end, so that all may speak in the
// end.
func (r *run) moderate(ctx context.Context) error {
	kafka, err := eventlog.New(eventlog.Config{Brokers: r.sys.kafka, ClientID: "moderator"})
	if err != nil {
		return err
	}
	defer kafka.Close()
	producer := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	rng, writer, counter := rand.New(rand.NewPCG(r.Seed, 99)), "moderator-"+ulid.Make().String(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.quiet:
			return nil
		case <-time.After(moderateEvery):
		}
		m, found := r.rec.anyHeard(rng)
		info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
		if !found || err != nil {
			continue // the broker is being harmed
		}
		counter++
		e := moderation(rng, &m)
		e.Time, e.Connector, e.Counter = time.Now().UnixMilli(), writer, counter
		value, err := proto.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode what a moderator does: %w", err)
		}
		r.rec.add(entryOf(e))
		record := eventlog.Record{Key: []byte(m.Channel), Value: value}
		if err := producer.Produce(schema.PartitionOf(m.Channel, info.Partitions), record, nil); err != nil {
			return fmt.Errorf("write what a moderator does: %w", err)
		}
	}
}

// moderation is something that a backend does about a message or its user.
func moderation(rng *rand.Rand, m *rpc.Message) *schema.Event {
	by, id := &schema.Author{By: &schema.Author_Key{Key: "moderator"}}, ulid.Make().String()
	s := &schema.Sanction{Channel: m.Channel, User: m.User, Id: id, Reason: "spam", By: by, Until: time.Now().Add(time.Duration(1+rng.IntN(4)) * time.Second).UnixMilli()}
	switch rng.IntN(10) {
	case 0, 1:
		s.Action = schema.Sanction_ACTION_MUTE
	case 2, 3:
		if s.Action = schema.Sanction_ACTION_BAN; rng.IntN(2) == 0 {
			s.PurgeSince = &m.Seq
		}
	case 4:
		s.Action, s.Until = schema.Sanction_ACTION_KICK, 0
	case 5:
		s.Action, s.Until, s.Reason = schema.Sanction_ACTION_LIFT, 0, ""
	case 6:
		return &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{Channel: m.Channel, Id: id, By: by, Topic: new("as of " + id)}}}
	default:
		return &schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{Channel: m.Channel, User: m.User, Id: id, Since: m.Seq, Reason: "spam", By: by}}}
	}
	return &schema.Event{Kind: &schema.Event_Sanction{Sanction: s}}
}

// entryOf is how what a backend does is recorded.
func entryOf(e *schema.Event) checker.Entry {
	p := &rpc.PurgeChange{User: e.GetPurge().GetUser(), Since: e.GetPurge().GetSince()}
	if s := e.GetSanction(); s.GetPurgeSince() != 0 {
		p = &rpc.PurgeChange{User: s.User, Since: *s.PurgeSince}
	}
	return checker.Entry{Op: checker.OpPurge, Channel: e.Channel(), Purge: p}
}

// anyHeard is one of the newest messages that somebody was pushed.
func (r *recorder) anyHeard(rng *rand.Rand) (rpc.Message, bool) {
	const newest = 400
	r.mu.Lock()
	defer r.mu.Unlock()
	var heard []*checker.Entry
	for i := max(0, len(r.entries)-newest); i < len(r.entries); i++ {
		if e := &r.entries[i]; e.Op == checker.PushChat {
			heard = append(heard, e)
		}
	}
	if len(heard) == 0 {
		return rpc.Message{}, false
	}
	return heard[rng.IntN(len(heard))].Message.Message, true
}
