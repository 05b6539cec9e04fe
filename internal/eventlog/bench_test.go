package eventlog

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProduce writes records of 200 bytes to 12 partitions as fast as the
// queue takes them. cpu-s/M is what a million records cost this process, the
// fake broker within it included unless PARLEY_TEST_KAFKA names another.
func BenchmarkProduce(b *testing.B) {
	c := startCluster(b).client(b)
	const partitions = 12
	p := newProducer(b, c, ProducerConfig{Topic: newTopic(b, c, partitions, nil)})
	value := make([]byte, 200)
	b.SetBytes(int64(len(value)))
	before := cpuTime()
	for i := 0; b.Loop(); i++ {
		for p.Produce(i%partitions, Record{Value: value}, nil) == ErrQueueFull {
			time.Sleep(time.Millisecond)
		}
	}
	if err := p.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((cpuTime()-before).Seconds()/float64(b.N)*1e6, "cpu-s/M")
}

// BenchmarkEncode is what the producer itself costs without any broker.
func BenchmarkEncode(b *testing.B) {
	var e encoder
	rec := Record{Key: []byte("channel"), Value: make([]byte, 200)}
	now := time.Now()
	e.reset()
	b.ReportAllocs()
	for b.Loop() {
		if len(e.buf) > maxBatchBytes-1000 {
			e.seal(1, 2, 3)
			e.reset()
		}
		e.append(&rec, now)
	}
}

// BenchmarkConsume reads one partition from its beginning, again and again.
func BenchmarkConsume(b *testing.B) {
	c := startCluster(b).client(b)
	topic := newTopic(b, c, 1, nil)
	p := newProducer(b, c, ProducerConfig{Topic: topic})
	const records = 200_000
	for range records {
		if err := p.Produce(0, Record{Value: make([]byte, 200)}, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Flush(testContext(b)); err != nil {
		b.Fatal(err)
	}
	before, n := cpuTime(), 0
	for b.Loop() {
		r := c.NewReader(ReaderConfig{Topic: topic})
		n += len(readAll(b, r, records))
		r.Close()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric((cpuTime()-before).Seconds()/float64(n)*1e6, "cpu-s/M")
}

// BenchmarkOneHop measures from Produce to a reader of the partition.
func BenchmarkOneHop(b *testing.B) { benchmarkHops(b, 1) }

// BenchmarkTwoHops measures from Produce through a reader that produces again
// to a reader of the second partition.
func BenchmarkTwoHops(b *testing.B) { benchmarkHops(b, 2) }

// benchmarkHops sends 1000 records a second through a chain of partitions.
func benchmarkHops(b *testing.B, hops int) {
	c := startCluster(b).client(b)
	topic := newTopic(b, c, hops, nil)
	p := newProducer(b, c, ProducerConfig{Topic: topic})
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for hop := range hops - 1 {
		work.Go(func() {
			follow(ctx, newReader(b, c, ReaderConfig{Topic: topic, Partition: hop}), func(rec Record) {
				p.Produce(hop+1, rec, nil)
			})
		})
	}
	last := newReader(b, c, ReaderConfig{Topic: topic, Partition: hops - 1})
	arrived := make(chan struct{}, 1<<20)
	work.Go(func() { follow(ctx, last, func(Record) { arrived <- struct{}{} }) })

	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	for b.Loop() {
		<-tick.C
		start := time.Now()
		if err := p.Produce(0, Record{Value: make([]byte, 200)}, nil); err != nil {
			b.Fatal(err)
		}
		<-arrived
		took = append(took, time.Since(start))
	}
	cancel()
	work.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// follow calls fn with what r reads until ctx ends.
func follow(ctx context.Context, r *Reader, fn func(Record)) {
	for {
		batch, err := r.Next(ctx)
		if err != nil {
			return
		}
		for _, rec := range batch.Records {
			fn(rec)
		}
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
