package connector

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/signals"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// signalPace is how long signals are gathered before members get them.
	signalPace = 25 * time.Millisecond
	// signalQueue bounds the bytes of signals that the log has not acknowledged.
	signalQueue = 4 << 20
	// signalPause is for how long signals are refused after one that could not be
	// written.
	signalPause = 2 * time.Second
)

// Values of a label.
const (
	signalIn      = "in"
	signalOut     = "out"
	signalDropped = "dropped"
)

// signaller writes the signals of an incarnation's sessions, and hands those of others
// to them. It is the one way into a connector beside its pushes, with connections and a
// goroutine of its own: nothing waits for it. Safe for concurrent use.
type signaller struct {
	inc      *incarnation
	client   *eventlog.Client
	producer *eventlog.Producer
	follower *signals.Follower
	failed   atomic.Int64 // when one could not be written, in Unix nanoseconds
}

func newSignaller(inc *incarnation) (*signaller, error) {
	cfg := inc.cfg.Kafka
	cfg.Meters, cfg.Tracers = nil, nil // what becomes of signals is counted here
	client, err := eventlog.New(cfg)
	if err != nil {
		return nil, err
	}
	x := &signaller{inc: inc, client: client}
	x.producer = client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicSignals, MaxBytes: signalQueue, RequestTimeout: signals.WriteTimeout, Pace: signals.WritePace, Fleeting: true})
	x.follower = signals.New(signals.Config{
		Kafka: client, Topic: schema.TopicSignalPush, Partition: inc.pushPartition, Partitions: inc.log.Partitions,
		Pace: signalPace, Take: x.take, Logger: inc.logger,
		Dropped: func(n int) { inc.metrics.signals.Add(n, signalDropped) },
	})
	return x, nil
}

func (x *signaller) close() {
	x.producer.Close()
	x.client.Close()
}

// send has a signal passed on; false: signals are not passed on now. With a full queue
// it is dropped.
func (x *signaller) send(partition int, s *schema.Signal, now time.Time) bool {
	if x == nil || !x.follower.Reads(now) || now.Sub(time.Unix(0, x.failed.Load())) < signalPause {
		return false
	}
	value, err := proto.Marshal(s)
	if err != nil {
		return false
	}
	m := x.inc.metrics
	err = x.producer.Produce(partition, eventlog.Record{Key: []byte(s.Channel), Value: value}, func(_ int64, err error) {
		if err != nil {
			x.failed.Store(time.Now().UnixNano())
			m.signals.Add(1, signalDropped)
		}
	})
	if err != nil && !errors.Is(err, eventlog.ErrQueueFull) {
		return false
	}
	m.signals.Add(1, signalIn)
	if err != nil {
		m.signals.Add(1, signalDropped)
	}
	return true
}

// take hands signals to the members of their channels.
func (x *signaller) take(_ context.Context, records []eventlog.Record) {
	own := records[:0]
	for i := range records {
		if string(records[i].Key) == x.inc.id {
			own = append(own, records[i])
		}
	}
	newest, dropped := signals.Newest(own)
	of := map[string][]rpc.SignalPush{}
	for _, s := range newest {
		of[s.Channel] = append(of[s.Channel], rpc.SignalPush{Channel: s.Channel, User: s.User, Name: s.Name, Data: s.Data, Time: s.Time})
	}
	delivered := 0
	for name, all := range of {
		ch := x.inc.channels.get(name)
		if ch == nil {
			dropped += len(all)
			continue
		}
		ch.Lock()
		more, less := ch.Signals(all)
		ch.Unlock()
		delivered, dropped = delivered+more, dropped+less
	}
	x.inc.metrics.signals.Add(delivered, signalOut)
	x.inc.metrics.signals.Add(dropped, signalDropped)
}
