package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
	"github.com/parley-chat/parley/tests/checker"
)

// collector reads what a run left in the servers.
type collector struct {
	kafka *eventlog.Client
	db    *clickhouse.DB
}

func newCollector(s *system) (*collector, error) {
	kafka, err := eventlog.New(eventlog.Config{Brokers: s.kafka, ClientID: "chaos"})
	if err != nil {
		return nil, err
	}
	db, err := clickhouse.New(s.dsn, clickhouse.Options{})
	if err != nil {
		kafka.Close()
		return nil, err
	}
	return &collector{kafka, db}, nil
}

func (c *collector) close() error {
	c.kafka.Close()
	return c.db.Close()
}

// collect reads the log, the pushes and the rows as they are now.
func (c *collector) collect(ctx context.Context, in *checker.Input) error {
	info, err := c.kafka.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return err
	}
	in.Log = checker.Log{TopicID: info.ID, Partitions: make([][]checker.Record, info.Partitions)}
	in.Pushes = make([][]checker.PushRecord, info.Partitions)
	for p := range info.Partitions {
		if err := c.events(ctx, &in.Log, p); err != nil {
			return err
		}
		if err := c.pushes(ctx, in, p); err != nil {
			return err
		}
	}
	return c.rows(ctx, in)
}

func (c *collector) read(ctx context.Context, topic string, partition int, take func(eventlog.Record) error) error {
	first, end, err := c.kafka.Offsets(ctx, topic, partition)
	if err != nil {
		return err
	}
	if first != 0 {
		return fmt.Errorf("%s/%d begins at %d", topic, partition, first)
	}
	return c.kafka.ReadRange(ctx, topic, partition, 0, end, 0, take)
}

func (c *collector) events(ctx context.Context, log *checker.Log, partition int) error {
	return c.read(ctx, schema.TopicEvents, partition, func(r eventlog.Record) error {
		e, err := schema.DecodeEvent(r.Value)
		if err != nil {
			return fmt.Errorf("the event at %d of partition %d: %w", r.Offset, partition, err)
		}
		if m := e.GetMarker(); m != nil && r.Offset == 0 {
			log.Epoch, log.Window = m.Epoch, m.Window
		}
		log.Partitions[partition] = append(log.Partitions[partition], checker.Record{Offset: r.Offset, Event: e})
		return nil
	})
}

func (c *collector) pushes(ctx context.Context, in *checker.Input, partition int) error {
	return c.read(ctx, schema.TopicPush, partition, func(r eventlog.Record) error {
		p := new(schema.Push)
		if err := proto.Unmarshal(r.Value, p); err != nil {
			return fmt.Errorf("the push at %d of partition %d: %w", r.Offset, partition, err)
		}
		in.Pushes[partition] = append(in.Pushes[partition], checker.PushRecord{Offset: r.Offset, Push: p})
		return nil
	})
}

// rows reads the projection; the watermarks first, as every reader must.
func (c *collector) rows(ctx context.Context, in *checker.Input) error {
	generation, err := c.db.Generation(ctx)
	if err != nil || generation == 0 {
		return errors.Join(err, errIfZero(generation))
	}
	marks, err := c.db.Query(ctx, "SELECT partition, max(seq) FROM "+sql.Watermarks(generation)+" WHERE epoch = ? GROUP BY partition", in.Log.Epoch)
	if err != nil {
		return fmt.Errorf("read the watermarks: %w", err)
	}
	defer marks.Close()
	in.Watermarks = map[int32]int64{}
	for marks.Next() {
		var partition int32
		var seq int64
		if err := marks.Scan(&partition, &seq); err != nil {
			return err
		}
		in.Watermarks[partition] = seq
	}
	if err := marks.Err(); err != nil {
		return err
	}
	return errors.Join(c.eventRows(ctx, generation, in), c.changeRows(ctx, generation, in), c.shownRows(ctx, generation, in))
}

func (c *collector) eventRows(ctx context.Context, generation uint32, in *checker.Input) error {
	rows, err := c.db.Query(ctx, `SELECT partition, channel, seq, toString(kind), user, "to", id, body, session, connector,
		toUnixTimestamp64Milli(time), reason, void, trace, info, toString(origin), key, type, data, reply, arrayStringConcat(mentions, ','),
		action, author, target, moderator, removed, name, "by", ifNull(since, -1), until,
		ifNull(slow, -1), toInt64(ifNull(toInt16(frozen), -1)), ifNull(concat('=', topic), '') FROM `+sql.Events(generation)+` FINAL WHERE epoch = ?`, in.Log.Epoch)
	if err != nil {
		return fmt.Errorf("read the rows: %w", err)
	}
	defer rows.Close()
	in.Rows = []checker.Row{}
	for rows.Next() {
		var r checker.Row
		var void, moderator, removed uint8
		if err := rows.Scan(&r.Partition, &r.Channel, &r.Seq, &r.Kind, &r.User, &r.To, &r.ID, &r.Body, &r.Session, &r.Connector,
			&r.Time, &r.Reason, &void, &r.Trace, &r.Info, &r.Origin, &r.Key, &r.Type, &r.Data, &r.Reply, &r.Mentions,
			&r.Action, &r.Author, &r.Target, &moderator, &removed, &r.Name, &r.By, &r.Since,
			&r.Until, &r.Slow, &r.Frozen, &r.Topic); err != nil {
			return err
		}
		r.Void, r.Moderator, r.Removed = void == 1, moderator == 1, removed == 1
		in.Rows = append(in.Rows, r)
	}
	return rows.Err()
}

// changeRows reads the table of changes.
func (c *collector) changeRows(ctx context.Context, generation uint32, in *checker.Input) error {
	rows, err := c.db.Query(ctx, `SELECT partition, channel, target, seq, toString(action), user, key, author, "to", id, body, type, data, name,
		removed, since, reason, toUnixTimestamp64Milli(time) FROM `+sql.Changes(generation)+` FINAL WHERE epoch = ?`, in.Log.Epoch)
	if err != nil {
		return fmt.Errorf("read the rows of changes: %w", err)
	}
	defer rows.Close()
	in.ChangeRows = []checker.ChangeRow{}
	for rows.Next() {
		var r checker.ChangeRow
		var removed uint8
		if err := rows.Scan(&r.Partition, &r.Channel, &r.Target, &r.Seq, &r.Action, &r.User, &r.Key, &r.Author, &r.To, &r.ID, &r.Body,
			&r.Type, &r.Data, &r.Name, &removed, &r.Since, &r.Reason, &r.Time); err != nil {
			return err
		}
		r.Removed = removed == 1
		in.ChangeRows = append(in.ChangeRows, r)
	}
	return rows.Err()
}

// shownRows reads the view of messages as they are.
func (c *collector) shownRows(ctx context.Context, generation uint32, in *checker.Input) error {
	rows, err := c.db.Query(ctx, `SELECT channel, seq, body, type, data, reply, edited, deleted, reactions FROM `+sql.Messages(generation)+
		` WHERE epoch = ?`, in.Log.Epoch)
	if err != nil {
		return fmt.Errorf("read the view of messages: %w", err)
	}
	defer rows.Close()
	in.Shown = []checker.ShownRow{}
	for rows.Next() {
		var r checker.ShownRow
		var reactions map[string]uint64
		if err := rows.Scan(&r.Channel, &r.Seq, &r.Body, &r.Type, &r.Data, &r.Reply, &r.Edited, &r.Deleted, &reactions); err != nil {
			return err
		}
		text, err := json.Marshal(reactions)
		if err != nil {
			return err
		}
		r.Reactions = string(text)
		in.Shown = append(in.Shown, r)
	}
	return rows.Err()
}

func errIfZero(generation uint32) error {
	if generation == 0 {
		return errors.New("there is no history in ClickHouse yet")
	}
	return nil
}

// secretsIn returns a line of the logs that holds what only two users may see;
// "" when there is none.
func secretsIn(processes []*process) (string, error) {
	for _, p := range processes {
		file, err := os.Open(p.log)
		if err != nil {
			return "", err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if strings.Contains(lines.Text(), secret) {
				return p.name + ": " + lines.Text(), nil
			}
		}
		if err := lines.Err(); err != nil {
			return "", fmt.Errorf("search the log of %s: %w", p.name, err)
		}
	}
	return "", nil
}

// slowestDelivery is the longest time from an event's append to its arrival at
// a client, for messages sent while a fault struck a server of that role, and
// none that connectors or the log depend on.
func slowestDelivery(in *checker.Input, role string) (slowest time.Duration) {
	var faults []*checker.Entry
	for i := range in.Entries {
		if in.Entries[i].Op == checker.Fault {
			faults = append(faults, &in.Entries[i])
		}
	}
	within := func(at, after time.Duration, match func(string) bool) bool {
		for _, e := range faults {
			if match(roleOf(e.Server)) && e.At-time.Second < at && at < e.Until+after {
				return true
			}
		}
		return false
	}
	this := func(r string) bool { return r == role }
	other := func(r string) bool { return r != role && (r == "broker" || r == "connector") }
	for i := range in.Entries {
		e := &in.Entries[i]
		if e.Op != checker.PushChat {
			continue
		}
		said := time.UnixMilli(e.Message.Time).Sub(in.Start)
		if took := e.At - said; took > slowest && within(said, 10*time.Second, this) && !within(said, 2*time.Second, other) {
			slowest = took
		}
	}
	return slowest
}
