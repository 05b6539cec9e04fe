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

// purgeEvery is the time between two purges.
const purgeEvery = 1500 * time.Millisecond

// moderate writes purges to the log, as a backend does, until the clients have to be
// quiet.
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
		case <-time.After(purgeEvery):
		}
		m, found := r.rec.anyHeard(rng)
		info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
		if !found || err != nil {
			continue // the broker is being harmed
		}
		counter++
		value, err := proto.Marshal(&schema.Event{Time: time.Now().UnixMilli(), Connector: writer, Counter: counter, Kind: &schema.Event_Purge{Purge: &schema.Purge{
			Channel: m.Channel, User: m.User, Id: ulid.Make().String(), Since: m.Seq, Reason: "spam", By: &schema.Author{By: &schema.Author_Key{Key: "moderator"}},
		}}})
		if err != nil {
			return fmt.Errorf("encode a purge: %w", err)
		}
		r.rec.add(checker.Entry{Op: checker.OpPurge, Channel: m.Channel, Purge: &rpc.PurgeChange{User: m.User, Since: m.Seq}})
		record := eventlog.Record{Key: []byte(m.Channel), Value: value}
		if err := producer.Produce(schema.PartitionOf(m.Channel, info.Partitions), record, nil); err != nil {
			return fmt.Errorf("write a purge: %w", err)
		}
	}
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
