package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// BenchmarkIngest is how many commands a second are carried out that are in Kafka
// already, with the broker on the same cores; and how much processor time a million of
// them take, of both together. ClickHouse has nothing to do meanwhile.
func BenchmarkIngest(b *testing.B) {
	const commands = 100_000
	s := newSystem(b)
	for b.Loop() {
		var ends [partitions]int64
		for n := range commands {
			rec := eventlog.Record{Value: fmt.Appendf(nil, `{"method":"publish","params":{"channel":"channel-%d","user":"shop","body":"a message of some forty bytes, it is %06d"}}`, n%100, n)}
			for s.commands.Produce(n%partitions, rec, nil) != nil { // it is full
				if err := s.commands.Flush(s.ctx); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := s.commands.Flush(s.ctx); err != nil {
			b.Fatal(err)
		}
		for p := range ends {
			_, end, err := s.kafka.Offsets(s.ctx, schema.TopicCommands, p)
			if err != nil {
				b.Fatal(err)
			}
			ends[p] = end
		}
		used, began := embeddedtest.ProcessorTime(b), time.Now()
		stop := s.start()
		for p, end := range ends {
			s.done(p, end-1)
		}
		b.ReportMetric(commands/time.Since(began).Seconds(), "commands/s")
		b.ReportMetric((embeddedtest.ProcessorTime(b)-used).Seconds()*1e6/commands, "cpu-s/million")
		stop()
	}
}
