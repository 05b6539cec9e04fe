package projector

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCatchUp projects 300,000 chats of 128 bytes that are in the log.
// Broker, projector and ClickHouse share the machine; the CPU time is that of
// broker and projector.
func BenchmarkCatchUp(b *testing.B) {
	const n, perPartition = 300_000, 100_000
	s := newSystem(b)
	st := s.store()
	body := strings.Repeat("x", 128)
	for p := range s.log.Partitions {
		for i := 0; i < perPartition; i += 10_000 {
			events := chats("lobby", i, 10_000)
			for _, e := range events {
				e.GetChat().Body = body
			}
			s.publish(p, events...)
		}
	}
	cfg := s.config()
	cfg.BatchAge = 0
	for b.Loop() {
		if err := s.sql.Exec(s.ctx, "TRUNCATE TABLE watermarks_1 SYNC"); err != nil {
			b.Fatal(err)
		}
		started, cpu := time.Now(), cpuTime()
		stop := s.project(cfg)
		for p := range s.log.Partitions {
			s.await(st, p, perPartition)
		}
		b.ReportMetric(n/time.Since(started).Seconds(), "events/s")
		b.ReportMetric((cpuTime()-cpu).Seconds()/n*1e6, "cpu-s/1M")
		stop()
	}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
