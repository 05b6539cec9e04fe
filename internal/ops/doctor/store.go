package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

const (
	// oldest is the oldest version of ClickHouse that is known to have all that is used.
	oldestMajor, oldestMinor = 26, 7
	// A projector that lags by less is at work.
	lagWarning = 10 * time.Second
	lagError   = 5 * time.Minute
)

// checkStore checks ClickHouse.
func (x *examination) checkStore(ctx context.Context) error {
	if x.cfg.DB == nil {
		x.checkAway()
		return nil
	}
	return errors.Join(x.checkVersion(ctx), x.checkSettings(ctx), x.checkFreeSpace(ctx), x.checkTables(ctx), x.checkCluster(ctx), x.checkHistory(ctx))
}

// checkAway distinguishes a server that does not answer from one that refuses.
func (x *examination) checkAway() {
	const meanwhile = "; chat continues meanwhile, and history is written afterwards"
	if clickhouse.IsRefused(x.cfg.Away) {
		x.find(Error, "ClickHouse", "correct the user and the password of --clickhouse, or the user's rights"+meanwhile)("it answers, and refuses: %v", x.cfg.Away)
		return
	}
	x.find(Error, "ClickHouse", "start it, or correct --clickhouse"+meanwhile)("it does not answer: %v", x.cfg.Away)
}

func (x *examination) checkVersion(ctx context.Context) error {
	var version string
	var now time.Time
	asked := time.Now()
	if err := x.cfg.DB.QueryRow(ctx, "SELECT version(), now64(3, 'UTC')").Scan(&version, &now); err != nil {
		return fmt.Errorf("ask ClickHouse for its version: %w", err)
	}
	answered := time.Now()
	x.checkClock("ClickHouse", now, answered, answered.Sub(asked))
	major, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil || a < oldestMajor || a == oldestMajor && b < oldestMinor {
		x.find(Error, "ClickHouse", "upgrade it")("it is version %s, and %d.%d or newer is needed", version, oldestMajor, oldestMinor)
	}
	return nil
}

// settingsInForce must hold for our own connections: the projector asks for
// them, and a profile may forbid or override that.
func (x *examination) settingsInForce() map[string]string {
	wanted := map[string]string{"async_insert": "0", "insert_deduplicate": "0"}
	if x.cfg.DB.Cluster() != "" {
		wanted["insert_quorum"] = "auto"
		wanted["insert_quorum_parallel"] = "0"
		wanted["select_sequential_consistency"] = "1"
	}
	return wanted
}

func (x *examination) checkSettings(ctx context.Context) error {
	for name, want := range x.settingsInForce() {
		var have string
		if err := x.cfg.DB.QueryRow(ctx, "SELECT value FROM system.settings WHERE name = ?", name).Scan(&have); err != nil {
			return fmt.Errorf("read setting %s of ClickHouse: %w", name, err)
		}
		if have != want {
			x.find(Error, "ClickHouse", "remove the override from the user's profile")("%s=%s is in force for its user, and %s is needed: history may lose rows", name, have, want)
		}
	}
	return nil
}

func (x *examination) checkFreeSpace(ctx context.Context) error {
	disks, err := x.cfg.DB.Disks(ctx)
	for _, d := range disks {
		x.checkFree("ClickHouse", d.Path, int64(d.Free), int64(d.Total))
	}
	return err
}

// checkTables checks that the tables exist and have the right engine.
func (x *examination) checkTables(ctx context.Context) error {
	generation, err := x.cfg.DB.Generation(ctx)
	if clickhouse.IsMissing(err) || err == nil && generation == 0 {
		x.find(Warning, "ClickHouse", "start a projector: it creates them")("the tables are missing: history comes from the log alone")
		return nil
	}
	if err != nil {
		return err
	}
	wanted := "ReplacingMergeTree"
	if x.cfg.DB.Cluster() != "" {
		wanted = "ReplicatedReplacingMergeTree"
	}
	for _, table := range []string{sql.Epochs, sql.Generations, sql.Events(generation), sql.Changes(generation), sql.Watermarks(generation)} {
		var engine, statement string
		err := x.cfg.DB.QueryRow(ctx, `SELECT any(engine), any(create_table_query) FROM system.tables WHERE database = ? AND name = ?`,
			x.cfg.DB.Database(), table).Scan(&engine, &statement)
		if err != nil {
			return fmt.Errorf("inspect table %s: %w", table, err)
		}
		subject := "table " + table
		switch {
		case engine == "":
			x.find(Error, subject, "restart a projector, which creates it and fills it from the log")("it is missing")
		case engine != wanted:
			x.find(Error, subject, "rename it and restart the projectors: they create another, and fill it from the log; rows of earlier epochs are only in the old one")("its engine is %s, and %s is needed: repeated rows are kept, or only one server has them", engine, wanted)
		case strings.Contains(statement, " TTL "):
			x.find(Error, subject, "remove it with ALTER TABLE … REMOVE TTL, and refill the tables with `parley rebuild`")("it has a TTL: history is deleted")
		}
	}
	return nil
}

// checkHistory compares the log with ClickHouse, and checks how far the
// projectors lag.
func (x *examination) checkHistory(ctx context.Context) error {
	if x.log == nil {
		return nil
	}
	held, err := guard.Held(ctx, x.cfg.DB, *x.log)
	if err == nil {
		err = x.log.CheckHistory(ctx, x.cfg.Kafka, held)
	}
	var refused *epoch.Refused
	switch {
	case errors.As(err, &refused):
		x.find(Error, "epoch", "")("%v", refused)
		return nil
	case err != nil:
		return err
	case held == nil:
		return nil // checkTables reports it, or nothing was written yet
	}
	return x.checkLag(ctx)
}

// checkLag checks for how long the projectors have not kept up.
func (x *examination) checkLag(ctx context.Context) error {
	marks, err := x.cfg.DB.Watermarks(ctx, x.log.Epoch)
	if err != nil {
		return fmt.Errorf("read the watermarks in ClickHouse: %w", err)
	}
	ends, err := x.ends(ctx)
	if err != nil {
		return err
	}
	var behind int64
	var oldest time.Duration
	for p, end := range ends {
		seq, known := marks[p]
		if !known {
			seq = -1
		}
		if seq >= end-1 {
			continue
		}
		behind += end - 1 - seq
		age, err := x.unprojected(ctx, p, seq+1)
		if err != nil {
			return err
		}
		oldest = max(oldest, age)
	}
	severity := Warning
	if oldest > lagError {
		severity = Error
	}
	if oldest > lagWarning {
		x.find(severity, "projectors", "start more of them, or check their logs and ClickHouse")(
			"%d events are not in ClickHouse, the oldest since %v: joins read them from the log, which has a budget", behind, oldest.Round(time.Second))
	}
	return nil
}

// unprojected is the age of the event at an offset.
func (x *examination) unprojected(ctx context.Context, partition int, offset int64) (time.Duration, error) {
	first, end, err := x.cfg.Kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil || max(offset, first) >= end {
		return 0, err
	}
	written, err := admin.TimeOf(ctx, x.cfg.Kafka, schema.TopicEvents, partition, max(offset, first))
	return time.Since(written), err
}
