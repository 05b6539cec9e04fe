package clickhouse

import (
	"context"
	"errors"
	"net"
	"os"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/meter"
)

// metrics count the outcomes of a DB's statements. Those of one process that have
// the same provider add up.
type metrics struct {
	errors  meter.Tally
	retries meter.Counter
	away    meter.Level
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	return &metrics{
		errors: m.Tally("parley.clickhouse.errors", "{error}",
			"Statements that failed in ClickHouse, by kind of failure: timeout, connection, or the server's exception.",
			meter.By("error.type", "timeout", "connection", "exception")),
		retries: m.Counter("parley.clickhouse.retries", "{retry}",
			"Statements that were retried after a failure."),
		away: m.Level("parley.clickhouse.away", "{client}",
			"Parts of this process for which ClickHouse does not work at the moment, and that keep trying."),
	}
}

// Failed counts a statement that failed in ClickHouse. Retry and
// Answers count theirs.
func (db *DB) Failed(err error) {
	var timeout net.Error
	switch {
	case IsException(err):
		db.metrics.errors.Add(1, "exception")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		db.metrics.errors.Add(1, "timeout")
	default:
		db.metrics.errors.Add(1, "connection")
	}
}
