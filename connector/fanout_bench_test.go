package connector

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// What metrics cost: messages go to the members of two channels in turns, of
// which one is measured. The ratio is the median over many turns, so that what
// else the machine does falls on both.
func BenchmarkMeasuredFanOut(b *testing.B) {
	for _, members := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			plain := newFanning(b, members, nil)
			measured := newFanning(b, members, sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader())))
			turn := max(1, 1000/members)
			var ratios, plainly []float64
			for b.Loop() {
				p, m := plain.send(turn), measured.send(turn)
				ratios = append(ratios, float64(m)/float64(p))
				plainly = append(plainly, float64(p)/float64(turn))
			}
			slices.Sort(ratios)
			slices.Sort(plainly)
			b.ReportMetric(ratios[len(ratios)/2], "measured/plain")
			b.ReportMetric(plainly[len(plainly)/2], "plain-ns/message")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// newBenchIncarnation is one without servers.
func newBenchIncarnation(meters metric.MeterProvider) *incarnation {
	cfg := &Config{Base: roles.Base{Logger: slog.New(slog.DiscardHandler), Meters: meters}}
	cfg.Limits.Recover, cfg.Limits.Presence = 300, 500
	return newIncarnation(cfg, epoch.Log{Partitions: 1, Window: 100}, nil, nil)
}

// fanning is a channel with members who take everything at once.
type fanning struct {
	tb       testing.TB
	stream   *stream
	channel  *channel
	offset   int64
	messages []*schema.Update
}

func newFanning(tb testing.TB, members int, meters metric.MeterProvider) *fanning {
	f := &fanning{tb: tb, messages: []*schema.Update{{Channel: "lobby", Kind: &schema.Update_Message{
		Message: &schema.Message{Id: "01J0000000000000000000000", User: "ada", Body: strings.Repeat("x", 100)},
	}}}}
	f.stream, f.channel = crowd(tb, newBenchIncarnation(meters), members)
	return f
}

// send sends n messages, each a batch of its own, and returns how long it took
// until they were with the sockets.
func (f *fanning) send(n int) time.Duration {
	began := time.Now()
	for range n {
		f.offset++
		if _, err := f.stream.update(&schema.Push{Offset: f.offset, Time: 1}, f.messages); err != nil {
			f.tb.Fatal(err)
		}
		f.stream.flush()
	}
	f.stream.inc.shared.Flushers.Await(time.Minute)
	return time.Since(began)
}
