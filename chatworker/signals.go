package chatworker

import (
	"context"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/signals"
	"github.com/parley-chat/parley/schema"
)

const (
	// signalPace is how long signals are gathered.
	signalPace = 50 * time.Millisecond
	// signalQueue bounds the bytes of signals that are not acknowledged, over all
	// partitions.
	signalQueue = 4 << 20
)

// openSignals prepares what signals are read and written with. What becomes of them
// is counted as such, and not as what becomes of the log.
func (w *Worker) openSignals() (err error) {
	cfg := w.cfg.Kafka
	cfg.Meters, cfg.Tracers = nil, nil
	if w.signalClient, err = eventlog.New(cfg); err != nil {
		return err
	}
	w.signalPushes = w.signalClient.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicSignalPush, MaxBytes: signalQueue, RequestTimeout: signals.WriteTimeout, Pace: signals.WritePace, Fleeting: true})
	return nil
}

// forwarder passes on the signals of one partition: what it reads is addressed by the
// partition's loop, which alone knows who is where, and sent from here, so that a chat
// waits for no more than the look-up.
type forwarder struct {
	w *Worker
	// asks hands a batch to the loop, which closes its done.
	asks chan *addressed
}

// addressed are signals and their receivers.
type addressed struct {
	signals   []signals.Sent
	receivers [][]fold.Receiver // of each
	done      chan struct{}
}

func newForwarder(w *Worker) *forwarder { return &forwarder{w: w, asks: make(chan *addressed)} }

// run forwards until ctx ends.
func (f *forwarder) run(ctx context.Context, partition int) {
	signals.New(signals.Config{
		Kafka: f.w.signalClient, Topic: schema.TopicSignals, Partition: partition, Partitions: f.w.epoch.Partitions,
		Pace: signalPace, Take: f.take, Logger: f.w.log,
		Dropped: func(n int) { f.w.metrics.signals.Add(n, signalDropped) },
	}).Run(ctx)
}

// take forwards a batch, unless pushes, which come first, have filled half of their
// queue.
func (f *forwarder) take(ctx context.Context, records []eventlog.Record) {
	m := f.w.metrics
	m.signals.Add(len(records), signalIn)
	if f.w.queued.Load() > pushBudget/2 {
		m.signals.Add(len(records), signalDropped)
		return
	}
	newest, dropped := signals.Newest(records)
	m.signals.Add(dropped, signalDropped)
	b := &addressed{signals: newest, done: make(chan struct{})}
	select {
	case f.asks <- b:
	case <-ctx.Done():
		return
	}
	<-b.done
	for i, s := range b.signals {
		if len(b.receivers[i]) == 0 { // its user has left
			m.signals.Add(1, signalDropped)
		}
		for _, to := range b.receivers[i] {
			f.send(to, s.Value)
		}
	}
}

func (f *forwarder) send(to fold.Receiver, value []byte) {
	m := f.w.metrics
	err := f.w.signalPushes.Produce(int(to.PushPartition), eventlog.Record{Key: []byte(to.Connector), Value: value}, func(_ int64, err error) {
		if err != nil {
			m.signals.Add(1, signalDropped)
			return
		}
		m.signals.Add(1, signalOut)
	})
	if err != nil {
		m.signals.Add(1, signalDropped)
	}
}

// address finds the receivers of signals. It is for the partition's goroutine.
func (p *partition) address(b *addressed) {
	for _, s := range b.signals {
		b.receivers = append(b.receivers, p.fold.Receivers(s.Channel, s.User))
	}
	close(b.done)
}
