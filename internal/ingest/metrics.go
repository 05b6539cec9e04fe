package ingest

import (
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// What became of a command.
const (
	outcomeStored   = "stored"
	outcomeRepeated = "repeated" // the log had it, from before its partition was taken over
	outcomeRejected = "rejected"
)

// otherMethod stands for methods that there are not.
const otherMethod = "other"

var methods = []string{
	rpc.MethodPublish, rpc.MethodBroadcast, rpc.MethodEdit, rpc.MethodDelete, rpc.MethodReact, rpc.MethodPin, rpc.MethodMute,
	rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge, rpc.MethodSet, otherMethod,
}

// metrics are what ingest measures.
type metrics struct {
	commands meter.Tally // by method and outcome
	lost     meter.Counter
	corrupt  meter.Tally // by topic
	known    map[string]bool
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	known := map[string]bool{}
	for _, method := range methods {
		known[method] = true
	}
	return &metrics{
		commands: m.Tally("parley.ingest.commands", "{command}", "Commands that were carried out or rejected, by method and outcome.",
			meter.ByTwo("method", methods, "outcome", []string{outcomeStored, outcomeRepeated, outcomeRejected})),
		lost:    m.Counter("parley.ingest.lost", "{command}", "Commands that were deleted from the topic before they were read."),
		corrupt: eventlog.CorruptRecords(m, schema.TopicCommands),
		known:   known,
	}
}

// took counts a command.
func (m *metrics) took(method, outcome string) {
	if !m.known[method] {
		method = otherMethod
	}
	m.commands.Add(1, method, outcome)
}

// gauges registers the gauges of the progress, until stop is called.
func (i *Ingest) gauges() (stop func()) {
	g := meter.New(i.cfg.Meters).Gauges()
	g.AddBy("parley.ingest.partitions", "{partition}", "Partitions of commands that the consumer group gave to this process, those of them that it serves, and those that wait for history.", "state",
		func(yield func(string, float64)) {
			yield("assigned", float64(i.progress.assigned.Load()))
			yield("serving", float64(i.progress.serving.Load()))
			yield("held", float64(i.progress.held.Load()))
		})
	g.AddByPartition("parley.ingest.lag", "{command}", "Commands of a partition that wait to be carried out.", i.progress.lags.All)
	return g.Start()
}
