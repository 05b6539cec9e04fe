package tests

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

const password = "correct-horse"

// secured are servers that let nobody in without TLS and a password.
type secured struct {
	t                 *testing.T
	ca                *authority
	kafka, clickhouse string // addresses
	plain             string // address of Kafka without TLS and logins
	password          string // file
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	krafttest.Need(t)
	embeddedtest.NeedEngine(t)
	s := &secured{t: t, ca: newAuthority(t, "parley's test CA")}
	cert, key, both := s.ca.server()
	s.password = s.ca.write("password", []byte(password+"\n"))
	const login = "org.apache.kafka.common.security."
	listener := "listener.name.sasl_ssl."
	kafka := krafttest.Start(t, kraft.Config{
		Protocol: "SASL_SSL",
		Users: []string{
			"SCRAM-SHA-256=[name=ada,password=" + password + "]", "SCRAM-SHA-512=[name=ada,password=" + password + "]",
		},
		Settings: []string{
			"ssl.keystore.type=PEM", "ssl.keystore.location=" + both,
			"ssl.truststore.type=PEM", "ssl.truststore.location=" + s.ca.file,
			"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
			listener + "plain.sasl.jaas.config=" + login + `plain.PlainLoginModule required user_ada="` + password + `";`,
			listener + "scram-sha-256.sasl.jaas.config=" + login + "scram.ScramLoginModule required;",
			listener + "scram-sha-512.sasl.jaas.config=" + login + "scram.ScramLoginModule required;",
		},
	})
	s.kafka, s.plain = kafka.Secure()[0], kafka.Brokers()[0]
	s.clickhouse = terminate(t, cert, key, nil, s.startClickHouse())
	return s
}

func (s *secured) startClickHouse() (addr string) {
	s.t.Helper()
	data := s.t.TempDir()
	if err := os.WriteFile(filepath.Join(data, embedded.ClickHousePasswordFile), []byte(password+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	server, err := embedded.StartClickHouse(soon(s.t), embedded.ClickHouseConfig{
		Listen: "127.0.0.1:0", DataDir: data,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			s.t.Error(err)
		}
		if said, err := os.ReadFile(filepath.Join(data, "clickhouse.log")); s.t.Failed() {
			s.t.Logf("the last output of ClickHouse (%v):\n%s", err, said[max(0, len(said)-4000):])
		}
	})
	return server.Addr()
}

// terminate listens with TLS and passes on to a server without: the engine that
// tests start has no TLS port. With clients, it takes those that they vouch for.
func terminate(t *testing.T, cert, key string, clients *x509.CertPool, target string) (addr string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { join(client, target) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		work.Wait()
	})
	return ln.Addr().String()
}

// join passes on in both directions until either end is closed.
func join(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			way[0].Close()
		})
	}
	both.Wait()
}

// command is a command with its flags for Kafka.
func (s *secured) command(name, mechanism string, more ...string) []string {
	return append([]string{name, "--kafka", s.kafka, "--kafka-ca", s.ca.file, "--kafka-sasl", mechanism, "--kafka-user", "ada", "--kafka-password-file", s.password}, more...)
}

func (s *secured) dsn() string {
	return fmt.Sprintf("clickhouse://parley@%s/default?ca=%s&password-file=%s", s.clickhouse, s.ca.file, s.password)
}

// Every role and the operator's commands get through TLS and logins, with each
// mechanism that Kafka has.
func TestSecureServers(t *testing.T) {
	s := newSecured(t)
	addr := freeport.AddressFor(t)
	roles := []*process{
		start(t, s.command("projector", "SCRAM-SHA-512", "--clickhouse", s.dsn())...),
		start(t, s.command("chatworker", "SCRAM-SHA-256")...),
		start(t, s.command("connector", "PLAIN", "--listen", addr, "--clickhouse", s.dsn())...),
	}
	url := served(t, addr)
	ada := enter(t, url, "ada")
	ada.join("lobby")
	said := []string{"one", "two", "three"}
	for _, body := range said {
		ada.chat("lobby", body)
	}
	bob := enter(t, url, "bob")
	if got := bodies(bob.join("lobby").Messages); !slices.Equal(got, said) {
		t.Errorf("bob sees %v", got)
	}
	await.That(t, "verify finds everything equal", func() bool {
		verify := start(t, s.command("verify", "SCRAM-SHA-512", "--clickhouse", s.dsn())...)
		<-verify.done
		return verify.cmd.ProcessState.ExitCode() == 0 && strings.Contains(verify.out.String(), "0 offsets behind")
	})
	for _, p := range roles {
		if strings.Contains(p.out.String(), password) {
			t.Errorf("the log has the password:\n%s", p.out)
		}
	}
	for name, c := range s.refusals() {
		t.Run(name, func(t *testing.T) { refusedAtStart(t, c.args, c.says) })
	}
}

type refusal struct {
	args []string
	says string
}

// refusals are wrong flags, and the errors that they get.
func (s *secured) refusals() map[string]refusal {
	stranger := newAuthority(s.t, "a stranger's CA")
	wrong := s.ca.write("wrong", []byte("battery-staple"))
	with := func(flag, value string) []string {
		all := s.command("chatworker", "SCRAM-SHA-512")
		all[slices.Index(all, flag)+1] = value
		return all
	}
	history := func(options string) []string {
		return s.command("projector", "PLAIN", "--clickhouse", "clickhouse://parley@"+s.clickhouse+"/default?"+options)
	}
	return map[string]refusal{
		"Kafka, no TLS":                 {slices.Delete(s.command("chatworker", "PLAIN"), 3, 5), "it speaks TLS at this address"},
		"Kafka, no login":               {s.command("chatworker", "PLAIN")[:5], "it wants a login at this address"},
		"Kafka, TLS at a plain port":    {[]string{"projector", "--kafka", s.plain, "--kafka-ca", s.ca.file}, "it does not speak TLS at this address"},
		"Kafka, a login at a plain one": {slices.Replace(slices.Delete(s.command("chatworker", "PLAIN"), 3, 5), 2, 3, s.plain), "it takes no login at this address"},
		"Kafka, a connector's password": {append([]string{"connector", "--listen", "127.0.0.1:0"}, with("--kafka-password-file", wrong)[1:]...), "it refuses the user name or password"},
		"Kafka, wrong password":         {with("--kafka-password-file", wrong), "it refuses the user name or password"},
		"Kafka, wrong CA":               {with("--kafka-ca", stranger.file), "its certificate is not trusted"},
		"Kafka, no such CA":             {with("--kafka-ca", "/none.pem"), "the file of CA certificates /none.pem cannot be read"},
		"Kafka, no such password":       {with("--kafka-password-file", "/none"), "the file of the password /none cannot be read"},
		"Kafka, invalid CA":             {with("--kafka-ca", s.password), "holds no certificates: it takes them in PEM"},
		"Kafka, no password":            {s.command("chatworker", "SCRAM-SHA-512")[:9], "--kafka-sasl needs a password"},
		"ClickHouse, wrong password":    {history("ca=" + s.ca.file + "&password-file=" + wrong), `it refuses user "parley" with this password`},
		"ClickHouse, wrong CA":          {history("ca=" + stranger.file + "&password-file=" + s.password), "its certificate is not trusted"},
		"ClickHouse, no such CA":        {history("ca=/none.pem&password-file=" + s.password), "the file of CA certificates /none.pem cannot be read"},
		"ClickHouse, no TLS":            {append(s.command("projector", "PLAIN"), "--clickhouse", "clickhouse://"+s.clickhouse+"/default"), "it speaks TLS at this address"},
		"ClickHouse, certificate alone": {history("cert=" + s.ca.file), "takes two files"},
	}
}

// refusedAtStart waits until a role has ended with one sentence.
func refusedAtStart(t *testing.T, args []string, says string) {
	p := start(t, args...)
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("it still runs:\n%s", p.out)
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	last := lines[len(lines)-1]
	if p.cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last, "parley: ") || !strings.Contains(last, says) || strings.Contains(p.out.String(), "battery-staple") {
		t.Errorf("exit code %d, want one sentence with %q:\n%s", p.cmd.ProcessState.ExitCode(), says, p.out)
	}
}
