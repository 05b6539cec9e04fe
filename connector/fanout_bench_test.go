package connector

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/schema"
)

// sink is a socket that takes everything at once.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error) { return len(p), nil }

// One message goes to a thousand members, with and without metrics; the two
// take turns, so that a busy machine slows both.
func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{1, 1000} {
		for name, meters := range map[string]metric.MeterProvider{
			"unmeasured": nil, "measured": sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader())),
		} {
			b.Run(fmt.Sprintf("members=%d/%s", members, name), func(b *testing.B) { benchmarkFanOut(b, members, meters) })
		}
	}
}

func benchmarkFanOut(b *testing.B, members int, meters metric.MeterProvider) {
	inc := newBenchIncarnation(meters)
	s := &stream{inc: inc, seen: watermarks{}}
	ch := inc.subscribe("lobby")
	for i := range members {
		session := &session{inc: inc, user: fmt.Sprint(i), conn: &conn{net: sink{}, limit: 1 << 30}}
		session.conn.idle = sync.NewCond(&session.conn.mu)
		p := &place{session: session, index: len(ch.members), cursor: -1, end: -1}
		ch.members = append(ch.members, p)
	}
	message := &schema.Message{Id: "01J0000000000000000000000", User: "ada", Body: strings.Repeat("x", 100)}
	b.ReportAllocs()
	for offset := int64(1); b.Loop(); offset++ {
		p := &schema.Push{Offset: offset, Time: 1}
		if err := s.update(p, &schema.Update{Channel: "lobby", Kind: &schema.Update_Message{Message: message}}); err != nil {
			b.Fatal(err)
		}
		s.flush()
	}
	for _, p := range ch.members {
		p.session.conn.awaitIdle()
	}
}

func newBenchIncarnation(meters metric.MeterProvider) *incarnation {
	cfg := &Config{Logger: slog.New(slog.DiscardHandler), Meters: meters}
	cfg.Limits.Recover, cfg.Limits.Presence = 300, 500
	return newIncarnation(cfg, epoch.Log{Partitions: 1, Window: 100}, nil, nil)
}
