package roles

import (
	"cmp"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Base is what every role needs. A role's Config embeds it.
type Base struct {
	// Kafka is which cluster to use. Meters, Tracers and Logger are the role's
	// where it has none of its own.
	Kafka eventlog.Config
	// Partitions and Replication of a log that does not exist yet; 0 means the
	// default of the epoch package.
	Partitions, Replication int

	Meters  metric.MeterProvider // nil: nothing is measured
	Tracers trace.TracerProvider // nil: no spans
	Logger  *slog.Logger         // nil: nothing is logged
}

// SetDefaults fills in what is not set. kind is the name of the role.
func (b *Base) SetDefaults(kind string) {
	b.Logger = cmp.Or(b.Logger, slog.New(slog.DiscardHandler))
	k := &b.Kafka
	k.ClientID = cmp.Or(k.ClientID, "parley-"+kind)
	k.Logger = cmp.Or(k.Logger, b.Logger)
	if k.Meters == nil {
		k.Meters = b.Meters
	}
	if k.Tracers == nil {
		k.Tracers = b.Tracers
	}
	if k.Outage == nil { // the clients of a role report an outage together
		k.Outage = eventlog.NewOutage(b.Logger)
	}
}
