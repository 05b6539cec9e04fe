package eventlog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/embedded"
)

// A client that speaks another protocol than the listener learns which at
// once, although the broker only hangs up.
func TestWrongProtocolIsCalledThat(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate only
	defer server.Close()
	trusting := &tls.Config{RootCAs: x509.NewCertPool()}
	trusting.RootCAs.AddCert(server.Certificate())
	var ada sasl.Mechanism = plain.Mechanism{Username: "ada", Password: "right"}
	login := func(more ...kfake.Opt) string {
		return startFake(t, append(more, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ada", "right"))...).addrs[0]
	}
	withTLS := kfake.TLS(server.TLS)
	plainly, err := embedded.StartBroker(testContext(t), embedded.BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer plainly.Stop(testContext(t))
	const speaks, wants, speaksNot = "it speaks TLS at this address", "it wants a login at this address", "it does not speak TLS at this address"
	for name, c := range map[string]struct {
		broker string
		tls    *tls.Config
		sasl   sasl.Mechanism
		says   string
	}{
		"plain, with TLS asked for":         {startFake(t, withTLS).addrs[0], nil, nil, speaks},
		"a login, with TLS asked for":       {login(withTLS), nil, ada, speaks},
		"TLS, with none there":              {plainly.Addr(), trusting, nil, speaksNot},
		"TLS and a login, with no TLS":      {plainly.Addr(), trusting, ada, speaksNot},
		"no login, with one asked for":      {login(), nil, nil, wants},
		"TLS alone, with a login asked for": {login(withTLS), trusting, nil, wants},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New(Config{Brokers: []string{c.broker}, TLS: c.tls, SASL: c.sasl, Logger: testLogger(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			began := time.Now()
			err = client.WaitReady(testContext(t))
			if err == nil || !strings.Contains(err.Error(), c.says) || !IsRefused(err) {
				t.Errorf("got %v, want a refusal: %q", err, c.says)
			}
			if took := time.Since(began); took > dialTimeout {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

// A broker that hangs up because it stops is waited for.
func TestHangingUpIsNoRefusal(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	defer work.Wait()
	defer ln.Close()
	work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	for name, conf := range map[string]*tls.Config{"plain": nil, "TLS": {}} {
		client, err := New(Config{Brokers: []string{ln.Addr().String()}, TLS: conf, Logger: testLogger(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
		defer cancel()
		if err := client.WaitReady(ctx); IsRefused(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: it does not wait: %v", name, err)
		}
	}
}
