package eventlog

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

func TestNewRefusesBadAddresses(t *testing.T) {
	for _, brokers := range [][]string{nil, {""}, {"localhost"}, {"localhost:"}, {"localhost:9092", "other"}} {
		if c, err := New(Config{Brokers: brokers}); err == nil {
			c.Close()
			t.Errorf("%q is taken for broker addresses", brokers)
		}
	}
}

// lockedBuffer collects a log that several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestWaitReadyWaitsAndSaysSoOnce(t *testing.T) {
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	c, err := New(Config{
		Brokers: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))},
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	short, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
	defer cancel()
	if err := c.WaitReady(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a broker: %v", err)
	}
	ready := make(chan error, 1)
	go func() { ready <- c.WaitReady(testContext(t)) }()
	startFake(t, kfake.Ports(port))
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "waiting for Kafka"); n > 2 {
		t.Errorf("two waits were logged %d times:\n%s", n, log.String())
	}
	if _, err := c.TopicInfo(testContext(t), "none"); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("once ready, TopicInfo says %v", err)
	}
}

// TestEverythingWaitsForTheCluster starts each part before there is a broker.
func TestEverythingWaitsForTheCluster(t *testing.T) {
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{addrs: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}}.client(t)
	ctx := testContext(t)
	var work sync.WaitGroup
	work.Go(func() {
		if err := createTopic(ctx, c, kafka.TopicConfig{Topic: "topic", NumPartitions: 1, ReplicationFactor: 1}); err != nil {
			t.Error(err)
		}
	})
	for _, id := range []string{"", "owner"} {
		p := newProducer(t, c, ProducerConfig{Topic: "topic", TransactionalID: id})
		work.Go(func() {
			if err := p.Init(ctx); err != nil {
				t.Error(err)
			}
		})
		if err := p.Produce(0, Record{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t, c, ReaderConfig{Topic: "topic"})
	work.Go(func() {
		for n := 0; n < 2; {
			batch, err := r.Next(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			n += len(batch.Records)
		}
	})
	l := newLedger()
	join(t, c, testGroup("topic"), l.handler("member"))

	if _, _, err := c.listOffsets(ctx, "topic", 0, kafka.ReadUncommitted); err == nil {
		t.Fatal("there is a broker already")
	}
	startFake(t, kfake.Ports(port))
	work.Wait() // for a minute at most, which is that of ctx
	l.await(t, map[string]int{"member": 1})
}

func TestWrongPasswordIsCalledThat(t *testing.T) {
	cl := startFake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "user", "right"))
	connect := func(password string) error {
		c, err := New(Config{Brokers: cl.addrs, SASL: plain.Mechanism{Username: "user", Password: password}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.WaitReady(testContext(t)); err != nil {
			return err
		}
		return createTopic(testContext(t), c, kafka.TopicConfig{Topic: "topic", NumPartitions: 1, ReplicationFactor: 1})
	}
	if err := connect("right"); err != nil {
		t.Errorf("the right password: %v", err)
	}
	err := connect("wrong")
	if !errors.Is(err, kafka.SASLAuthenticationFailed) || !strings.Contains(err.Error(), "refuses the user name or password") {
		t.Errorf("the wrong password: %v", err)
	}
}

func TestClosedClientOpensNothing(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 1)
	p.Close()
	c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.TopicInfo(ctx, topic); err == nil {
		t.Error("a closed client answers")
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate only
	defer server.Close()
	cl := startFake(t, kfake.TLS(server.TLS))
	trusting := x509.NewCertPool()
	trusting.AddCert(server.Certificate())
	connect := func(roots *x509.CertPool) error {
		c, err := New(Config{Brokers: cl.addrs, TLS: &tls.Config{RootCAs: roots}, Logger: testLogger(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.WaitReady(testContext(t)); err != nil {
			return err
		}
		topic, _ := filled(t, c, 1)
		readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 1)
		l := newLedger()
		leave := join(t, c, testGroup(topic), l.handler("member"))
		l.await(t, map[string]int{"member": 1})
		return leave()
	}
	if err := connect(trusting); err != nil {
		t.Errorf("with the right CA: %v", err)
	}
	if err := connect(x509.NewCertPool()); err == nil || !strings.Contains(err.Error(), "certificate is not trusted") {
		t.Errorf("with the wrong CA: %v", err)
	}
}
