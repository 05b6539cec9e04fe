package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

const pastUser = "past"

// past are messages that are written into the log and into ClickHouse as connectors and a
// projector write them, without the time that clients and the projector take for it.
type past struct {
	channel, connector string
	have, n            int       // numbers of the messages: from have on, n of them
	time               time.Time // of all of them
	first              int64     // offset in the log
}

// addPast gives a channel n messages that are older than what comes next. The projector
// does not run meanwhile: what it would write is there when it goes on.
func (f *fleet) addPast(ctx context.Context, channel string, have, n int) error {
	projector := f.newest("projector")
	metrics := func(ctx context.Context) string { return fetch(ctx, "http://"+projector.admin+"/metrics") }
	if err := (&bench{}).awaitProjected(ctx, metrics); err != nil {
		return err
	}
	if err := f.end(projector, syscall.SIGTERM); err != nil {
		return err
	}
	p := &past{channel: channel, connector: fmt.Sprint("past-", have), have: have, n: n, time: time.Now()}
	partition := schema.PartitionOf(channel, schema.LaptopPartitions)
	if err := p.log(ctx, f.kafka, partition); err != nil {
		return fmt.Errorf("write into the log: %w", err)
	}
	if err := p.insert(ctx, f.history, partition); err != nil {
		return fmt.Errorf("insert into ClickHouse: %w", err)
	}
	_, err := f.launch(projector.args...)
	if err == nil {
		projector = f.newest("projector")
		err = (&bench{}).awaitProjected(ctx, metrics)
	}
	return err
}

func (p *past) id(i int) string { return fmt.Sprint(p.have + i) }

// log appends the messages to a partition, and notes where.
func (p *past) log(ctx context.Context, kafka string, partition int) error {
	client, err := eventlog.New(eventlog.Config{Brokers: []string{kafka}})
	if err != nil {
		return err
	}
	defer client.Close()
	producer := client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents, Compress: true})
	defer producer.Close()
	var first, last atomic.Int64
	var failed atomic.Pointer[error]
	first.Store(-1)
	done := func(offset int64, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		first.CompareAndSwap(-1, offset)
		last.Store(offset)
	}
	chat := &schema.Chat{Channel: p.channel, Session: pastUser, User: pastUser}
	event := &schema.Event{Connector: p.connector, Time: p.time.UnixMilli(), Kind: &schema.Event_Chat{Chat: chat}}
	for i := range p.n {
		event.Counter, chat.Id, chat.Body = uint64(i)+1, p.id(i), pastBody(p.have+i)
		value, err := proto.Marshal(event)
		if err != nil {
			return err
		}
		record := eventlog.Record{Key: []byte(p.channel), Value: value}
		for err = producer.Produce(partition, record, done); errors.Is(err, eventlog.ErrQueueFull) && ctx.Err() == nil; err = producer.Produce(partition, record, done) {
			pause(ctx, 10*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	if p.first = first.Load(); last.Load()-p.first != int64(p.n)-1 {
		return fmt.Errorf("%d messages are at offsets %d to %d: something else was written meanwhile", p.n, p.first, last.Load())
	}
	return nil
}

// pastBody has one word that no other body has, so that the index of words grows as with
// identifiers.
func pastBody(i int) string {
	return fmt.Sprintf("%016d", i) + strings.Repeat(".", bodySize-16)
}

// insert writes the rows of the messages, and how far they reach.
func (p *past) insert(ctx context.Context, dsn string, partition int) error {
	db, err := clickhouse.Open(ctx, dsn, clickhouse.Options{ReadTimeout: 10 * time.Minute})
	if err != nil {
		return err
	}
	defer db.Close()
	epoch, err := db.NewestEpoch(ctx)
	if err != nil || epoch == nil || epoch.Partitions != schema.LaptopPartitions {
		return errors.Join(fmt.Errorf("the newest epoch is %v", epoch), err)
	}
	events, marks := db.Table(sql.Events(sql.FirstGeneration)), db.Table(sql.Watermarks(sql.FirstGeneration))
	var format int32
	if err := db.QueryRow(ctx, `SELECT max(format) FROM `+marks+` WHERE epoch = ? AND partition = ?`, epoch.Name, partition).Scan(&format); err != nil {
		return err
	}
	for from := 0; from < p.n; from += searchedAtOnce {
		insert := `INSERT INTO ` + events + ` (epoch, partition, channel, seq, kind, user, id, body, session, connector, time, version)
			SELECT ?, ?, ?, ? + number, 'chat', ?, toString(? + number), concat(leftPad(toString(? + number), 16, '0'), repeat('.', ?)), ?, ?, fromUnixTimestamp64Milli(toInt64(?)), ?
			FROM numbers(?, ?)`
		if err := db.Exec(ctx, insert, epoch.Name, partition, p.channel, p.first, pastUser, p.have, p.have, bodySize-16, pastUser, p.connector, p.time.UnixMilli(), format,
			from, min(searchedAtOnce, p.n-from)); err != nil {
			return err
		}
	}
	if err := db.Exec(ctx, `INSERT INTO `+marks+` (epoch, partition, seq, format, time) SELECT ?, ?, ?, ?, now64(3)`, epoch.Name, partition, p.first+int64(p.n)-1, format); err != nil {
		return err
	}
	return merged(ctx, db)
}

// merged waits until ClickHouse has no parts under way to be merged.
func merged(ctx context.Context, db *clickhouse.DB) error {
	for quiet := 0; quiet < 5; pause(ctx, 200*time.Millisecond) {
		var n uint64
		if err := db.QueryRow(ctx, `SELECT count() FROM system.merges`).Scan(&n); err != nil {
			return err
		}
		if quiet++; n > 0 {
			quiet = 0
		}
	}
	return ctx.Err()
}
