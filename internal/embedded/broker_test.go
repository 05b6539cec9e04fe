package embedded_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/freeport"
)

func TestBrokerKeepsItsLog(t *testing.T) {
	dir, addr := t.TempDir(), freeport.AddressFor(t)
	b := startBroker(t, embedded.BrokerConfig{Listen: addr, DataDir: dir, Open: true})
	client := kafkaClient(t, addr)
	created, err := client.CreateTopics(within(t), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "t", NumPartitions: 1, ReplicationFactor: 1}},
	})
	if err != nil || created.Errors["t"] != nil {
		t.Fatal(err, created)
	}
	produce(t, client, "before")
	stopBroker(t, b)

	// The same port again, at once.
	b = startBroker(t, embedded.BrokerConfig{Listen: addr, DataDir: dir, Open: true})
	defer stopBroker(t, b)
	client = kafkaClient(t, addr)
	produce(t, client, "after")
	for offset, want := range []string{"before", "after"} {
		if got := fetch(t, client, int64(offset)); got != want {
			t.Errorf("offset %d holds %q, want %q", offset, got, want)
		}
	}
}

// Nobody reads or writes without the password in the broker's folder.
func TestBrokerAsksForThePassword(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir})
	defer func() { stopBroker(t, b) }()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 { // sasl.json is as good as the password
		t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(b.PasswordFile())
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(text))
	if info, err := os.Stat(filepath.Join(dir, embedded.KafkaPasswordFile)); err != nil || info.Mode().Perm() != 0o600 || len(secret) < 26 {
		t.Errorf("the password has %d characters, mode %v, %v", len(secret), info.Mode(), err)
	}
	login := func(mechanism scram.Algorithm, user, password string) sasl.Mechanism {
		m, err := scram.Mechanism(mechanism, user, password)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, m := range map[string]sasl.Mechanism{
		"no login": nil, "wrong password": login(scram.SHA256, embedded.User, "wrong"), "nobody": login(scram.SHA256, "nobody", secret),
		"admin": login(scram.SHA256, "admin", "admin"), "plain": plain.Mechanism{Username: embedded.User, Password: secret},
		"another hash": login(scram.SHA512, embedded.User, secret),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if meta, err := kafkaClientAs(t, b.Addr(), m).Metadata(ctx, &kafka.MetadataRequest{}); err == nil {
			t.Errorf("%s: got in: %+v", name, meta)
		}
		cancel()
	}
	if _, err := kafkaClientAs(t, b.Addr(), login(scram.SHA256, embedded.User, secret)).Metadata(within(t), &kafka.MetadataRequest{}); err != nil {
		t.Errorf("with the password: %v", err)
	}
	// Another password in the folder counts from the next start on.
	stopBroker(t, b)
	if err := os.WriteFile(b.PasswordFile(), []byte("another-password"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir})
	if _, err := kafkaClientAs(t, b.Addr(), login(scram.SHA256, embedded.User, "another-password")).Metadata(within(t), &kafka.MetadataRequest{}); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := kafkaClientAs(t, b.Addr(), login(scram.SHA256, embedded.User, secret)).Metadata(ctx, &kafka.MetadataRequest{}); err == nil {
		t.Error("the former password still works")
	}
}

func TestBrokerRefusesItsFolderTwice(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir, Open: true})
	defer stopBroker(t, b)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir, Open: true})
	wantSentence(t, err, dir, "in use")
}

func TestBrokerNamesAnAddressThatClientsCanReach(t *testing.T) {
	if name, err := os.Hostname(); err != nil {
		t.Skip(err)
	} else if _, err := net.LookupHost(name); err != nil {
		t.Skip("this machine cannot be reached by its name: ", err)
	}
	b := startBroker(t, embedded.BrokerConfig{Listen: "0.0.0.0:0"})
	defer stopBroker(t, b)
	meta, err := kafkaClient(t, b.Addr()).Metadata(within(t), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(meta.Brokers[0].Host); ip != nil && ip.IsUnspecified() {
		t.Errorf("the broker advertises %s", ip)
	}
}

func TestBrokerSurvivesABrowser(t *testing.T) {
	b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0"})
	defer stopBroker(t, b)
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: broker\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
		t.Errorf("the connection was kept: %d bytes, %v", n, err)
	}
	if _, err := kafkaClient(t, b.Addr()).Metadata(within(t), &kafka.MetadataRequest{}); err != nil {
		t.Errorf("the broker does not answer any more: %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func startBroker(t *testing.T, cfg embedded.BrokerConfig) *embedded.Broker {
	t.Helper()
	b, err := embedded.StartBroker(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stopBroker(t *testing.T, b *embedded.Broker) {
	t.Helper()
	if err := b.Stop(within(t)); err != nil {
		t.Error(err)
	}
	select {
	case <-b.Done():
	default:
		t.Error("the broker stopped and is not done")
	}
}

func kafkaClient(t *testing.T, addr string) *kafka.Client { return kafkaClientAs(t, addr, nil) }

func kafkaClientAs(t *testing.T, addr string, login sasl.Mechanism) *kafka.Client {
	transport := &kafka.Transport{SASL: login}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: patience}
}

func produce(t *testing.T, client *kafka.Client, value string) {
	t.Helper()
	res, err := client.Produce(within(t), &kafka.ProduceRequest{
		Topic: "t", RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))}),
	})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
}

func fetch(t *testing.T, client *kafka.Client, offset int64) string {
	t.Helper()
	res, err := client.Fetch(within(t), &kafka.FetchRequest{Topic: "t", Offset: offset, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
	for {
		r, err := res.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		if r.Offset != offset {
			continue
		}
		value, err := kafka.ReadAll(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		return string(value)
	}
}

// A log that takes minutes to serve is refused with the bound, whoever asks.
func TestBrokerRefusesTooManyPartitions(t *testing.T) {
	b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Open: true})
	defer stopBroker(t, b)
	client := kafkaClient(t, b.Addr())
	for range 2 { // the guard stays
		created, err := client.CreateTopics(within(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
			{Topic: "large", NumPartitions: embedded.MaxPartitions + 1, ReplicationFactor: 1},
		}})
		if err != nil {
			t.Fatal(err)
		}
		wantSentence(t, created.Errors["large"], "at most 100 partitions, not 101")
	}
	created, err := client.CreateTopics(within(t), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: "fits", NumPartitions: embedded.MaxPartitions, ReplicationFactor: 1},
	}})
	if err != nil || created.Errors["fits"] != nil {
		t.Error(err, created)
	}
}
