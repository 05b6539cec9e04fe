package clickhouse

import (
	"context"
	"errors"
	"net"
	"os"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/meter"
)

// metrics are what a DB's statements come to. Those of one process that have
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
			"Statements that ClickHouse did not carry out, by what became of them: timeout, connection, or the server's exception.",
			meter.By("error.type", "timeout", "connection", "exception")),
		retries: m.Counter("parley.clickhouse.retries", "{retry}",
			"Statements that are tried again after they failed."),
		away: m.Level("parley.clickhouse.away", "{client}",
			"Users of ClickHouse in this process for which it does not work now, and that go on trying."),
	}
}

// Failed counts a statement that ClickHouse did not carry out. Retry and
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
