package eventlog

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/meter"
)

// What a client does with a cluster, as metrics name it.
const (
	opProduce = "produce"
	opFetch   = "fetch"
	opGroup   = "group"
	opRequest = "request" // metadata, offsets, topics
)

// metrics count the outcomes of a client's requests. Clients of one process that
// have the same provider add up.
type metrics struct {
	errors, retries meter.Tally
	away            meter.Level
	produced        meter.Histogram // records of a request
	acknowledged    meter.Histogram // seconds of a request
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	operations := []string{opProduce, opFetch, opGroup, opRequest}
	return &metrics{
		errors: m.Tally("parley.kafka.errors", "{error}",
			"Requests to Kafka that failed, by operation and by kind of failure: timeout, connection, or the broker's refusal.",
			meter.ByTwo("operation", operations, "error.type", []string{"timeout", "connection", "broker"})),
		retries: m.Tally("parley.kafka.retries", "{retry}",
			"Requests to Kafka that were retried after a failure.", meter.By("operation", operations...)),
		away: m.Level("parley.kafka.away", "{client}",
			"Readers, producers, group memberships and single requests of this process that keep failing in Kafka, and that keep trying."),
		produced: m.Histogram("parley.kafka.produce.records", "{record}",
			"Records that one request writes.", meter.Sizes, nil),
		acknowledged: m.Histogram("parley.kafka.produce.duration", "s",
			"Time from a request that writes records to its answer, which comes when all in-sync replicas have them.", meter.Seconds, nil),
	}
}

// failed counts a request that failed, and that is tried again or not.
func (m *metrics) failed(operation string, err error, again bool) {
	m.errors.Add(1, operation, errorType(err))
	if again {
		m.retries.Add(1, operation)
	}
}

// written counts a request that a broker answered.
func (m *metrics) written(flights []flight, took time.Duration) {
	records := 0
	for i := range flights {
		records += flights[i].b.count
	}
	m.produced.Record(float64(records))
	m.acknowledged.Record(took.Seconds())
}

// errorType sorts an error into the kinds that metrics distinguish. The log has the rest.
func errorType(err error) string {
	var code kafka.Error
	var timeout net.Error
	switch {
	case errors.Is(err, kafka.RequestTimedOut), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &code), errors.Is(err, ErrUnknownTopic):
		return "broker"
	}
	return "connection"
}

// CorruptRecords makes the counter of records that whoever reads the topics
// cannot decode and therefore skips.
func CorruptRecords(m meter.Meter, topics ...string) meter.Tally {
	return m.Tally("parley.corrupt_records", "{record}",
		"Records of the log that cannot be decoded and were skipped. Each is logged with its position.", meter.By("topic", topics...))
}
