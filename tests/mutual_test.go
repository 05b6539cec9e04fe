package tests

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

// Kafka and ClickHouse that let in who has a certificate, and nobody else.
func TestClientCertificates(t *testing.T) {
	krafttest.Need(t)
	embeddedtest.NeedEngine(t)
	s := &secured{t: t, ca: newAuthority(t, "parley's test CA")}
	cert, key, both := s.ca.server()
	clients := x509.NewCertPool()
	clients.AddCert(s.ca.cert)
	s.kafka = krafttest.Start(t, kraft.Config{Protocol: "SSL", Settings: []string{
		"listener.name.ssl.ssl.client.auth=required",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + both,
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + s.ca.file,
	}}).Secure()[0]
	s.clickhouse = terminate(t, cert, key, clients, s.startClickHouse())
	mine, myKey, _ := s.ca.server()
	foreign, foreignKey, _ := newAuthority(t, "a stranger's CA").server()
	command := func(name, cert, key string, more ...string) []string {
		return append([]string{name, "--kafka", s.kafka, "--kafka-ca", s.ca.file, "--kafka-cert", cert, "--kafka-key", key}, more...)
	}
	history := func(shown string) string {
		return "clickhouse://parley:" + password + "@" + s.clickhouse + "/default?ca=" + s.ca.file + shown
	}
	dsn := history("&cert=" + mine + "&key=" + myKey)

	addr := freeport.AddressFor(t)
	start(t, command("projector", mine, myKey, "--clickhouse", dsn)...)
	start(t, command("chatworker", mine, myKey)...)
	start(t, command("connector", mine, myKey, "--listen", addr, "--clickhouse", dsn)...)
	ada := enter(t, served(t, addr), "ada")
	ada.join("lobby")
	ada.chat("lobby", "one")
	await.That(t, "a command finds it in ClickHouse", func() bool {
		verify := start(t, command("verify", mine, myKey, "--clickhouse", dsn)...)
		<-verify.done
		return verify.cmd.ProcessState.ExitCode() == 0
	})
	for name, c := range map[string]refusal{
		"Kafka, no certificate":           {slices.Delete(command("chatworker", mine, myKey), 5, 9), "it refuses the TLS connection"},
		"Kafka, a stranger's":             {command("chatworker", foreign, foreignKey), "it refuses the TLS connection"},
		"Kafka, another key":              {command("chatworker", mine, foreignKey), "cannot be used"},
		"ClickHouse, no certificate":      {command("projector", mine, myKey, "--clickhouse", history("")), "it refuses the TLS connection"},
		"ClickHouse, a stranger's":        {command("projector", mine, myKey, "--clickhouse", history("&cert="+foreign+"&key="+foreignKey)), "it refuses the TLS connection"},
		"ClickHouse, certificate, no key": {command("projector", mine, myKey, "--clickhouse", history("&cert="+mine)), "takes two files"},
	} {
		t.Run(name, func(t *testing.T) { refusedAtStart(t, c.args, c.says) })
	}
}
