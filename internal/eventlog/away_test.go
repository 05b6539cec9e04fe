package eventlog

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// away reads parley.kafka.away.
func away(t *testing.T, from *sdk.ManualReader) (clients int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := from.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "parley.kafka.away" {
				clients += sum.DataPoints[0].Value
			}
		}
	}
	return clients
}

// A cluster that is away is seen for as long as anything waits for it: a
// request, as of a role that starts, or a member of a group without partitions.
func TestAwayIsSeenWhileAnythingWaits(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	measured := sdk.NewManualReader()
	c, err := New(Config{Brokers: fake.ListenAddrs(), ClientID: "test", Logger: testLogger(t),
		Meters: sdk.NewMeterProvider(sdk.WithReader(measured))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until := func(want int64) {
		t.Helper()
		for ctx := testContext(t); away(t, measured) != want; time.Sleep(10 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("%d are away, want %d", away(t, measured), want)
			}
		}
	}
	topic := newTopic(t, c, 1, nil)
	l := newLedger()
	leave := join(t, c, testGroup(topic), l.handler("member"))
	l.await(t, map[string]int{"member": 1})
	until(0)

	fake.Close()
	l.await(t, map[string]int{})
	until(1) // the member
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, _, err := c.Offsets(ctx, topic, 0)
		asked <- err
	}()
	until(2)
	cancel()
	<-asked
	until(1)
	leave()
	until(0)
}
