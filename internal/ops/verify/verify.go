package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// ErrMoved means that another generation of the tables became the current one
// meanwhile: what was compared is not what readers see any more.
var ErrMoved = errors.New("a rebuild swapped the tables in ClickHouse meanwhile: verify again")

// Progress is how far a verification has come.
type Progress struct {
	Partition, Partitions int
	// Offset was reached of those below End.
	Offset, End int64
}

// Config is what a verification needs.
type Config struct {
	Kafka *eventlog.Client
	DB    *clickhouse.DB
	// Keep bounds the differences that a report lists; all are counted.
	// Default 100.
	Keep int
	// Progress, when not nil, is called now and then. It must not block.
	Progress func(Progress)
}

// progressEvery is how often Progress is called within a partition.
const progressEvery = time.Second

// verification is one run.
type verification struct {
	cfg        Config
	out        *collector
	log        epoch.Log
	tables     clickhouse.Tables
	store      *store
	reported   time.Time
	partitions int
}

// Run compares everything once. Its error means that something could not be
// compared: servers that do not answer, no log, tables that were swapped.
// Differences are not errors; they are in the report, which is incomplete when
// there is an error.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Keep <= 0 {
		cfg.Keep = 100
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	report := Report{Differences: []Difference{}, Unsettled: []string{}}
	v := &verification{cfg: cfg, out: &collector{report: &report, keep: cfg.Keep}}
	return report, v.run(ctx, &report)
}

func (v *verification) run(ctx context.Context, report *Report) error {
	if err := v.identify(ctx); err != nil {
		return err
	}
	report.Epoch, report.Generation, report.Partitions = v.log.Epoch, v.tables.Generation, v.partitions
	for p := range v.partitions {
		if err := v.partition(ctx, p); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	now, err := v.cfg.DB.Current(ctx)
	if err == nil && now != v.tables {
		return ErrMoved
	}
	return err
}

// identify finds the log and the tables, and compares what each place records
// as the epoch.
func (v *verification) identify(ctx context.Context) error {
	info, err := v.cfg.Kafka.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return fmt.Errorf("find the log: %w", err)
	}
	v.partitions = info.Partitions
	v.log = epoch.Log{TopicID: info.ID, Partitions: info.Partitions}
	for p := range info.Partitions {
		if err := v.identifyPartition(ctx, p); err != nil {
			return err
		}
	}
	if v.log.Epoch == "" {
		return fmt.Errorf("%s has no marker of an epoch: nothing was ever published there", schema.TopicEvents)
	}
	if err := v.compareRemembered(ctx); err != nil {
		return err
	}
	if v.tables, err = v.cfg.DB.Current(ctx); clickhouse.IsMissing(err) {
		return fmt.Errorf("database %s in ClickHouse has no tables of parley: correct the DSN, or start a projector, which creates them", v.cfg.DB.Database())
	} else if err != nil {
		return fmt.Errorf("find the tables in ClickHouse: %w", err)
	}
	v.store = &store{db: v.cfg.DB, generation: v.tables.Generation, epoch: v.log.Epoch}
	return v.compareHistoryEpochs(ctx)
}

// identifyPartition reads a partition's marker. The first one names the epoch.
func (v *verification) identifyPartition(ctx context.Context, p int) error {
	m, err := epoch.MarkerOf(ctx, v.cfg.Kafka, p)
	var refused *epoch.Refused
	switch {
	case errors.As(err, &refused):
		v.out.differ(PlaceLog, p, 0, "", "%v", refused)
	case err != nil:
		return err
	case m == nil:
		v.out.differ(PlaceLog, p, 0, "", "the partition has no marker at offset 0: its beginning was deleted, or never written")
	case v.log.Epoch == "":
		v.log.Epoch, v.log.Format, v.log.Window = m.Epoch, m.Format, m.Window
	case m.Epoch != v.log.Epoch:
		v.out.differ(PlaceEpoch, p, 0, "", "the marker is of epoch %s, the log is %s", m.Epoch, v.log.Epoch)
	}
	return nil
}

func (v *verification) compareRemembered(ctx context.Context) error {
	known, err := epoch.Remembered(ctx, v.cfg.Kafka)
	switch {
	case err != nil:
		return err
	case known == nil:
		v.out.differ(PlaceEpoch, None, None, "", "%s remembers no epoch", schema.TopicControl)
	case known.Epoch != v.log.Epoch:
		v.out.differ(PlaceEpoch, None, None, "", "%s remembers epoch %s, the log is %s", schema.TopicControl, known.Epoch, v.log.Epoch)
	case string(known.TopicId) != string(v.log.TopicID[:]):
		v.out.differ(PlaceEpoch, None, None, "", "%s remembers the log as topic %x, it is %x", schema.TopicControl, known.TopicId, v.log.TopicID)
	case int(known.Partitions) != v.partitions:
		v.out.differ(PlaceEpoch, None, None, "", "%s remembers %d partitions, the log has %d", schema.TopicControl, known.Partitions, v.partitions)
	}
	return nil
}

func (v *verification) compareHistoryEpochs(ctx context.Context) error {
	newest, err := v.cfg.DB.NewestEpoch(ctx)
	if err != nil {
		return fmt.Errorf("read the epochs in ClickHouse: %w", err)
	}
	switch topic := fmt.Sprintf("%x", v.log.TopicID); {
	case newest == nil:
		v.out.differ(PlaceEpoch, None, None, "", "ClickHouse has no epoch: no projector ever ran on it")
	case newest.Name != v.log.Epoch:
		v.out.differ(PlaceEpoch, None, None, "", "the newest epoch in ClickHouse is %s, the log is %s", newest.Name, v.log.Epoch)
	case newest.TopicID != topic:
		v.out.differ(PlaceEpoch, None, None, "", "ClickHouse knows the log as topic %s, it is %s", newest.TopicID, topic)
	case newest.Partitions != v.partitions:
		v.out.differ(PlaceEpoch, None, None, "", "ClickHouse knows the log with %d partitions, it has %d", newest.Partitions, v.partitions)
	}
	foreign, err := v.store.foreign(ctx, v.partitions)
	if err != nil {
		return err
	}
	for _, f := range foreign {
		v.out.differ(PlaceEpoch, None, None, "", "%s", f)
	}
	return nil
}

// progress reports how far a partition is, now and then.
func (v *verification) progress(p int, offset, end int64, always bool) {
	if now := time.Now(); always || now.Sub(v.reported) >= progressEvery {
		v.reported = now
		v.cfg.Progress(Progress{Partition: p, Partitions: v.partitions, Offset: offset, End: end})
	}
}
