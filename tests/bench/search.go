package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

const (
	// The messages that are searched are of an epoch that is over, so that they need not
	// be in the log: a search treats them alike.
	searchedEpoch    = "searched"
	searchedChannels = 100
	searchedAtOnce   = 500_000 // rows an insert
	searchTimes      = 100     // of each query
)

// searchedBodies are a tenth Chinese, the others 12 words of which few are frequent.
const searchedBodies = `if(number % 10 = 0,
	arrayStringConcat(arrayMap(i -> concat(char(228 + intDiv(r[i], 4096), 128 + intDiv(r[i], 64) % 64, 128 + r[i] % 64)), range(1, 13))),
	arrayStringConcat(arrayMap(i -> concat('w', toString(w[i])), range(1, 13)), ' '))`

// search fills history with n messages, a second apart, by direct insert, and searches
// them over a socket.
func (b *bench) search(ctx context.Context, n int) error {
	took, bytes, err := b.fillSearched(ctx, n)
	if err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d messages in %d channels, inserted into ClickHouse with their index of words", n, searchedChannels),
		"%v; %.0f bytes a message, %.0f of them the index", took.Round(time.Second), bytes[0]/float64(n), bytes[1]/float64(n))
	r, err := dialRaw(b.addr, "searcher")
	if err != nil {
		return err
	}
	defer r.conn.Close()
	for i := range searchedChannels {
		if _, err := r.call(join(fmt.Sprint("c", i), 0)); err != nil {
			return err
		}
	}
	for _, q := range []struct{ what, query string }{
		{"a rare word", "w123456"}, {"a word of every second message", "w0"}, {"three words", "w0 w5 w20"}, {"Chinese", "一丁"},
	} {
		for _, in := range []struct{ where, channel string }{{"in 100 channels", ""}, {"in one channel", "c3"}} {
			if err := b.searchFor(r, q.what+", "+in.where, q.query, in.channel); err != nil {
				return err
			}
		}
	}
	return nil
}

// searchFor measures one query.
func (b *bench) searchFor(r *raw, what, query, channel string) error {
	params := map[string]any{"query": query}
	if channel != "" {
		params["channel"] = channel
	}
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "search", "params": params})
	if err != nil {
		return err
	}
	var times []time.Duration
	var found struct {
		Result struct{ Messages []json.RawMessage }
	}
	for range searchTimes {
		began := time.Now()
		answer, err := r.call(string(request))
		if err != nil {
			return fmt.Errorf("search for %s: %w", what, err)
		}
		times = append(times, time.Since(began))
		if err := json.Unmarshal(answer, &found); err != nil {
			return err
		}
	}
	b.row("search for "+what, "%d found; p50 %.1f ms, p99 %.1f ms (goal ≤ 100)", len(found.Result.Messages), ms(quantile(times, .5)), ms(quantile(times, .99)))
	return nil
}

// clickHouse is the DSN of the server's ClickHouse, once the server says where that is.
func (b *bench) clickHouse(ctx context.Context) (string, error) {
	file := filepath.Join(b.data, "addresses.json")
	text, err := os.ReadFile(file)
	for ; errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil; text, err = os.ReadFile(file) {
		pause(ctx, 100*time.Millisecond)
	}
	if err != nil {
		return "", err
	}
	var at struct{ ClickHouse string }
	return at.ClickHouse, json.Unmarshal(text, &at)
}

// fillSearched inserts n messages, and says how many bytes they and their index take once
// ClickHouse has merged them.
func (b *bench) fillSearched(ctx context.Context, n int) (took time.Duration, bytes [2]float64, err error) {
	dsn, err := b.clickHouse(ctx)
	if err != nil {
		return 0, bytes, err
	}
	db, err := clickhouse.Open(ctx, dsn, clickhouse.Options{ReadTimeout: 10 * time.Minute})
	if err != nil {
		return 0, bytes, err
	}
	defer db.Close()
	var partitions, channels []string
	const of = 12 // partitions
	for i := range searchedChannels {
		name := fmt.Sprint("c", i)
		channels = append(channels, "'"+name+"'")
		partitions = append(partitions, fmt.Sprint(schema.PartitionOf(name, of)))
	}
	if err := addSearchedEpoch(ctx, db, of); err != nil {
		return 0, bytes, err
	}
	events := db.Table(sql.Events(sql.FirstGeneration))
	began := time.Now()
	for from := 0; from < n; from += searchedAtOnce {
		insert := `INSERT INTO ` + events + ` (epoch, partition, channel, seq, kind, user, id, body, time, version)
			SELECT '` + searchedEpoch + `', [` + strings.Join(partitions, ", ") + `][c], [` + strings.Join(channels, ", ") + `][c], number + 1, 'chat',
				concat('u', toString(number % 1000)), toString(number), ` + searchedBodies + `, now64(3) - toIntervalSecond(? - number), 2
			FROM (SELECT number, 1 + toUInt32(pow((cityHash64(number) % 100003) / 100003, 2) * 100) AS c,
				arrayMap(i -> toUInt32(pow((cityHash64(number, i) % 1000003) / 1000003, 4) * 200000), range(1, 13)) AS w,
				arrayMap(i -> 1 + toUInt32(pow((cityHash64(number, i) % 100003) / 100003, 2) * 16000), range(1, 13)) AS r
			FROM numbers(?, ?))`
		if err := db.Exec(ctx, insert, n, from, min(searchedAtOnce, n-from)); err != nil {
			return 0, bytes, err
		}
	}
	if err := db.Exec(ctx, `INSERT INTO `+db.Table(sql.Watermarks(sql.FirstGeneration))+` (epoch, partition, seq, format, time) SELECT ?, number, ?, 2, now64(3) FROM numbers(?)`, searchedEpoch, n, of); err != nil {
		return 0, bytes, err
	}
	took = time.Since(began)
	if err := merged(ctx, db); err != nil {
		return 0, bytes, err
	}
	err = db.QueryRow(ctx, `SELECT toFloat64(sum(bytes_on_disk)), toFloat64(sum(secondary_indices_compressed_bytes)) FROM system.parts WHERE database = ? AND table = ? AND active`,
		db.Database(), sql.Events(sql.FirstGeneration)).Scan(&bytes[0], &bytes[1])
	return took, bytes, err
}

// addSearchedEpoch makes the epoch of what is searched known as one from before that of the
// log: as the newest it would be another log's, which roles refuse.
func addSearchedEpoch(ctx context.Context, db *clickhouse.DB, partitions int) error {
	for newest, err := db.NewestEpoch(ctx); newest == nil; newest, err = db.NewestEpoch(ctx) { // the projector adds it
		if err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return db.Exec(ctx, `INSERT INTO `+db.Table(sql.Epochs)+` (epoch, topic_id, partitions, first_seen) SELECT ?, '', toInt32(?), toDateTime64(0, 3, 'UTC')`, searchedEpoch, partitions)
}
