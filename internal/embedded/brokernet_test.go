package embedded_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/parley-chat/parley/internal/embedded"
)

// request is one of Kafka's, with a null client id.
func request(key, version int16, body ...byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	out = binary.BigEndian.AppendUint16(out, uint16(key))
	out = binary.BigEndian.AppendUint16(out, uint16(version))
	out = binary.BigEndian.AppendUint32(out, 1)
	return append(append(out, 0xff, 0xff), body...)
}

// Whoever reaches the port may send what they like: the broker continues, and
// takes no memory for what strangers announce or send.
func TestBrokerOutlivesStrangers(t *testing.T) {
	for _, open := range []bool{false, true} {
		b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Open: open})
		versions := request(18, 0)
		announced := binary.BigEndian.AppendUint32(nil, 1<<31-1)
		for what, bytes := range map[string][]byte{
			"a request that nobody knows":  request(30000, 0),
			"a negative one":               request(-1, 0),
			"one without a body":           {0, 0, 0, 0},
			"half a header":                {0, 0, 0, 5, 0, 3, 0, 1, 0},
			"2 GiB, announced":             announced,
			"2 GiB, announced second":      append(versions, announced...),
			"an array of 2 Gi elements":    request(3, 0, 0x7f, 0xff, 0xff, 0xff),
			"a login that never started":   request(36, 0, 0, 0, 0, 1, 'x'),
			"a login with a negative size": append(request(17, 1, 0, 13), append([]byte("SCRAM-SHA-256"), request(36, 0, 0x80, 0, 0, 0)...)...),
		} {
			before := reserved()
			strange(t, b.Addr(), bytes)
			if grown := reserved() - before; grown > 256<<20 {
				t.Errorf("%s takes %d MiB", what, grown>>20)
			}
		}
		for key := range int16(100) {
			for _, version := range []int16{-32768, -1, 0, 1, 2, 3, 5, 9, 12, 32767} {
				for _, body := range []string{"", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x01\xff\x7f\x7f"} {
					send(t, b.Addr(), string(request(key, version, []byte(body)...)))
				}
			}
		}
		login, err := scram.Mechanism(scram.SHA256, embedded.User, secretOf(t, b))
		if err != nil {
			t.Fatal(err)
		}
		if open {
			login = nil
		}
		if _, err := kafkaClientAs(t, b.Addr(), login).Metadata(within(t), &kafka.MetadataRequest{}); err != nil {
			t.Errorf("the owner does not get in any more: %v", err)
		}
		stopBroker(t, b)
	}
}

// A request is refused by the size that it announces, before there is memory for
// it: a smaller one of those who have not logged in.
//
//parley:bound a request to the embedded broker
func TestRequestsToTheBrokerAreBounded(t *testing.T) {
	for open, most := range map[bool]uint32{true: 100 << 20, false: 64 << 10} {
		b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Open: open})
		for size, want := range map[uint32]bool{most: true, most + 1: false} {
			head := binary.BigEndian.AppendUint32(nil, size)
			before := reserved()
			if taken := isWaitedFor(t, b.Addr(), append(head, request(0, 9)[4:]...), want); taken != want {
				t.Errorf("login %v: a request of %d bytes is waited for: %v", !open, size, taken)
			}
			if grown := reserved() - before; grown > int64(most)+64<<20 {
				t.Errorf("login %v: a request of %d bytes takes %d", !open, size, grown)
			}
		}
		stopBroker(t, b)
	}
}

// isWaitedFor sends the beginning of a request, and reports whether the broker
// waits for the rest; one that is expected to hang up has the time that it needs.
func isWaitedFor(t *testing.T, addr string, bytes []byte, expected bool) bool {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write(bytes)
	limit := patience
	if expected {
		limit = time.Second
	}
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	_, err = conn.Read(make([]byte, 1))
	return isTimeout(err)
}

// secretOf is the password of a broker; any where nobody logs in.
func secretOf(t *testing.T, b *embedded.Broker) string {
	t.Helper()
	if b.PasswordFile() == "" {
		return "any"
	}
	text, err := os.ReadFile(b.PasswordFile())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// reserved is the memory that the heap was given by the system.
func reserved() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapSys)
}

// strange sends bytes, waits shortly for an answer, and leaves.
func strange(t *testing.T, addr string, bytes []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write(bytes)
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = io.Copy(io.Discard, conn)
}

// Within the process nothing is different: strangers are turned away, logins
// asked for, requests bounded; and a stopped broker is refused.
func TestBrokerWithinTheProcess(t *testing.T) {
	b := startBroker(t, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	sockets := 0
	login := func(secret string) *kafka.Client {
		mechanism, err := scram.Mechanism(scram.SHA256, embedded.User, secret)
		if err != nil {
			t.Fatal(err)
		}
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := b.Dial(ctx, network, address)
			if _, ok := conn.(*net.TCPConn); ok {
				sockets++
			}
			return conn, err
		}
		transport := &kafka.Transport{SASL: mechanism, Dial: dial}
		t.Cleanup(transport.CloseIdleConnections)
		return &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: transport}
	}
	right := login(secretOf(t, b))
	if _, err := right.Metadata(within(t), &kafka.MetadataRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := login("guessed").Metadata(within(t), &kafka.MetadataRequest{}); err == nil {
		t.Error("a wrong password is taken")
	}
	if sockets != 0 {
		t.Errorf("%d connections were sockets", sockets)
	}
	for what, bytes := range map[string][]byte{
		"a request that nobody knows": request(30000, 0),
		"one that is too large":       binary.BigEndian.AppendUint32(nil, 64<<10+1),
		"one before a login":          request(3, 9, 0, 0, 0),
	} {
		conn, err := b.Dial(t.Context(), "tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(append(bytes, make([]byte, 12)...))
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if n, err := io.Copy(io.Discard, conn); n != 0 || err != nil {
			t.Errorf("%s: it is answered with %d bytes, %v", what, n, err)
		}
		_ = conn.Close()
	}
	open, err := b.Dial(t.Context(), "tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	stopBroker(t, b)
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a connection to a stopped broker: %v", err)
	}
	if _, err := b.Dial(t.Context(), "tcp", b.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a stopped broker is dialled: %v", err)
	}
}
