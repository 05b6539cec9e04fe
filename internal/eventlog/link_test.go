package eventlog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Connections of readers' and senders' own are encrypted and logged in as those
// of the pool are.
func TestOwnConnectionsAreSecured(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate only
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	scrambled, err := scram.Mechanism(scram.SHA512, "ada", "right")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls   bool
		login string
		with  sasl.Mechanism
	}{
		"TLS":                         {tls: true},
		"TLS and a login in the open": {true, "PLAIN", plain.Mechanism{Username: "ada", Password: "right"}},
		"a login in steps":            {false, "SCRAM-SHA-512", scrambled},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []kfake.Opt
			cfg := Config{Logger: testLogger(t), SASL: c.with}
			if c.tls {
				opts = append(opts, kfake.TLS(server.TLS))
				cfg.TLS = &tls.Config{RootCAs: roots}
			}
			if c.with != nil {
				opts = append(opts, kfake.EnableSASL(), kfake.Superuser(c.login, "ada", "right"))
			}
			cfg.Brokers = startFake(t, opts...).addrs
			client, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			topic, _ := filled(t, client, 20)
			r := newReader(t, client, ReaderConfig{Own: true, Topic: topic})
			for i, rec := range readAll(t, r, 20) {
				if string(rec.Value) != fmt.Sprint(i) {
					t.Fatalf("offset %d holds %s", i, rec.Value)
				}
			}
		})
	}
}

// Neither what OnReconnect asks nor a connection of another reader makes a reader
// call it again.
func TestOwnConnectionIsNewOnce(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	topic, p := filled(t, c, 1)
	calls := 0
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic, OnReconnect: func(ctx context.Context) error {
		calls++
		c.transport.CloseIdleConnections() // so that the question needs a new one
		_, err := c.TopicInfo(ctx, topic)
		return err
	}})
	for i := range 10 {
		readAll(t, r, 1)
		readAll(t, newReader(t, c, ReaderConfig{Own: true, Topic: topic}), 1)
		produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)})
	}
	if calls != 1 {
		t.Errorf("OnReconnect was called %d times for one connection", calls)
	}
	w.cut()
	if readAll(t, r, 1); calls != 2 {
		t.Errorf("OnReconnect was called %d times for two connections", calls)
	}
}

// Whatever a broker answers, or begins to, nothing is read wrongly or stored
// twice, and what was asked is asked again over a new connection.
func TestBadAnswersOfABroker(t *testing.T) {
	for name, harm := range map[string]func([]byte) []byte{
		"to the request before": func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[4:], binary.BigEndian.Uint32(b[4:])-1)
			return b
		},
		"to one that was never sent": func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[4:], 1<<31-1)
			return b
		},
		"half of it and the end":     func(b []byte) []byte { return b[:len(b)/2] },
		"its size alone":             func(b []byte) []byte { return b[:4] },
		"nothing and the end":        func([]byte) []byte { return nil },
		"shorter than a header":      func([]byte) []byte { return []byte{0, 0, 0, 2, 0, 0} },
		"of a negative size":         func([]byte) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1} },
		"of 2 GiB":                   func([]byte) []byte { return []byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1} },
		"HTTP":                       func([]byte) []byte { return []byte("HTTP/1.0 400 Bad Request\r\n\r\n") },
		"whose header never ends":    func(b []byte) []byte { b[8] = 0xff; return b },
		"whose body is cut as it is": cutBody,
	} {
		t.Run(name, func(t *testing.T) {
			client, h := startCluster(t).harmedClient(t)
			topic, p := filled(t, client, 1)
			r := newReader(t, client, ReaderConfig{Own: true, Topic: topic})
			readAll(t, r, 1)
			for i := int64(1); i < 4; i++ {
				h.next(protocol.Produce, harm)
				if got := produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)}); got != i {
					t.Errorf("record %d was acknowledged at %d", i, got)
				}
				h.next(protocol.Fetch, harm)
				if rec := readAll(t, r, 1)[0]; rec.Offset != i || string(rec.Value) != fmt.Sprint(i) {
					t.Errorf("at %d %q was read, of offset %d", i, rec.Value, rec.Offset)
				}
			}
			if left := h.left(); left != 0 {
				t.Errorf("%d answers were never harmed", left)
			}
		})
	}
}

// A broker that is silent is given up on in time, and its late answer is not
// taken for that to another request.
func TestSilentBrokerIsLeft(t *testing.T) {
	client, h := startCluster(t).harmedClient(t)
	topic := newTopic(t, client, 1, nil)
	p := newProducer(t, client, ProducerConfig{Topic: topic, RequestTimeout: 100 * time.Millisecond})
	produceOne(t, p, 0, Record{Value: []byte("0")})
	h.next(protocol.Produce, func(b []byte) []byte {
		time.Sleep(300 * time.Millisecond)
		return b
	})
	for i := int64(1); i < 4; i++ {
		if got := produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)}); got != i {
			t.Errorf("record %d was acknowledged at %d", i, got)
		}
	}
}

// cutBody makes a frame shorter by one byte, and its size with it.
func cutBody(b []byte) []byte {
	b = b[:len(b)-1]
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// harm changes answers on their way to a client, and ends the connection after.
type harm struct {
	mu  sync.Mutex
	how map[protocol.ApiKey]func([]byte) []byte
}

func (c cluster) harmedClient(t *testing.T) (*Client, *harm) {
	client := c.client(t)
	h := &harm{how: map[protocol.ApiKey]func([]byte) []byte{}}
	dial := client.conns.open
	client.conns.open = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &harmedConn{Conn: conn, harm: h}, err
	}
	return client, h
}

// next harms the answer to the next request of a kind.
func (h *harm) next(key protocol.ApiKey, how func([]byte) []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.how[key] = how
}

// left is how many answers are yet to be harmed.
func (h *harm) left() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.how)
}

type harmedConn struct {
	net.Conn
	harm *harm
	how  func([]byte) []byte // what becomes of the next answer; nil: nothing
	rest []byte              // of a harmed answer
	over bool
}

func (c *harmedConn) Write(b []byte) (int, error) {
	if len(b) > 6 {
		key := protocol.ApiKey(binary.BigEndian.Uint16(b[4:]))
		c.harm.mu.Lock()
		c.how = c.harm.how[key]
		delete(c.harm.how, key)
		c.harm.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *harmedConn) Read(p []byte) (int, error) {
	if c.how != nil {
		answer := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, answer); err != nil {
			return 0, err
		}
		answer = append(answer, make([]byte, binary.BigEndian.Uint32(answer))...)
		if _, err := io.ReadFull(c.Conn, answer[4:]); err != nil {
			return 0, err
		}
		c.rest, c.how, c.over = c.how(answer), nil, true
	}
	if c.over && len(c.rest) == 0 {
		return 0, io.EOF
	}
	if c.over {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
