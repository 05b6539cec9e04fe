package eventlog

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// While brokers are dead, or take connections and do not answer, everything that
// a process does with Kafka logs one line, then one for each interval, and one
// at the end. None takes the silence for a topic that is not there.
func TestOutageIsOneLine(t *testing.T) {
	for name, frozen := range map[string]bool{"dead": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			port, err := freeport.Take()
			if err != nil {
				t.Fatal(err)
			}
			opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(t.TempDir()), kfake.SeedTopics(1, "topic")}
			broker, err := kfake.NewCluster(opts...)
			if err != nil {
				t.Fatal(err)
			}
			var log lockedBuffer
			cfg := Config{Brokers: broker.ListenAddrs(), Logger: slog.New(slog.NewTextHandler(&log, nil))}
			cfg.Outage = NewOutage(cfg.Logger)
			say := useEverything(t, ctx, cfg)
			broker.Close()
			thaw := func() {}
			if frozen {
				l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				if err != nil {
					t.Fatal(err)
				}
				thaw = func() { l.Close() } // nobody accepts: the kernel takes the connections
			}
			say()
			for strings.Count(log.String(), "Kafka does not answer, trying again") == 0 && ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(3 * time.Second) // in which each part notices
			if n := strings.Count(log.String(), "\n"); n != 1 || strings.Contains(log.String(), "not found") {
				t.Errorf("%d lines say that Kafka is %s:\n%s", n, name, &log)
			}
			cfg.Outage.mu.Lock()
			cfg.Outage.every = 0
			cfg.Outage.mu.Unlock()
			for !strings.Contains(log.String(), "still, trying again") && ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
			cfg.Outage.mu.Lock()
			cfg.Outage.every = time.Hour
			cfg.Outage.mu.Unlock()
			thaw()
			back, err := kfake.NewCluster(opts...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(back.Close)
			for !strings.Contains(log.String(), "Kafka answers again") && ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
			if n := strings.Count(log.String(), "Kafka answers again"); n != 1 {
				t.Errorf("its end is logged %d times:\n%s", n, &log)
			}
		})
	}
}

// useEverything reads, writes and is a member of a group, until the test ends.
// say writes a record, which nobody waits for.
func useEverything(t *testing.T, ctx context.Context, cfg Config) (say func()) {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(ctx)
	member, reading := make(chan struct{}), make(chan struct{})
	joined := make(chan struct{}, 1)
	go func() {
		defer close(member)
		_ = c.RunGroup(ctx, GroupConfig{Group: "group", Topics: []string{"topic"}}, func(ctx context.Context, _ Assignment) error {
			select {
			case joined <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return nil
		})
	}()
	r := c.NewReader(ReaderConfig{Topic: "topic"})
	go func() {
		defer close(reading)
		for {
			if _, err := r.Next(ctx); err != nil {
				return
			}
		}
	}()
	other, err := New(cfg) // as a connector's heart has
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	producers := []*Producer{newProducer(t, c, ProducerConfig{Topic: "topic"}), newProducer(t, other, ProducerConfig{Topic: "topic"})}
	t.Cleanup(func() { cancel(); r.Close(); <-reading; <-member })
	for _, p := range producers {
		produceOne(t, p, 0, Record{Value: []byte("before")})
	}
	<-joined
	return func() {
		for _, p := range producers {
			if err := p.Produce(0, Record{Value: []byte("meanwhile")}, nil); err != nil {
				t.Error(err)
			}
		}
	}
}
