package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// The examples of docs/ingest.md run as they are, and what they write is read by a
// client.
func TestIngestExamples(t *testing.T) {
	_, environment := python(t)
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(nil).addr
	c.ingest()
	page := readFile(t, filepath.Join(root, "docs", "ingest.md"))
	ada := enter(t, url, "ada")
	ada.join("orders/17")
	var want []string
	run := func(says, program string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // Go compiles its library
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- of the documentation
		cmd.Env = append(environment, "KAFKA="+c.kafka)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		want = append(want, says)
	}
	needKcat(t)
	run("Your order is on its way.", "sh", "-c", blocks(page, "sh")[0])
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(blocks(page, "go")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	run("from Go", "go", "run", file)
	run("from Python", "python3", "-c", blocks(page, "python")[0])
	slices.Sort(want)
	await.That(t, "the messages are in the channel", func() bool {
		var r rpc.HistoryResult
		ada.call(rpc.MethodHistory, rpc.HistoryParams{Channel: "orders/17"}, &r)
		var bodies []string
		for _, m := range r.Messages {
			if m.Origin != "backend" {
				t.Fatalf("%q is of origin %q", m.Body, m.Origin)
			}
			bodies = append(bodies, m.Body)
		}
		slices.Sort(bodies)
		return strings.Join(bodies, "|") == strings.Join(want, "|")
	})
}

// Ingest runs beside a `parley up` by its data folder alone.
func TestIngestBesideUp(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	data, addr := t.TempDir(), freeport.AddressFor(t)
	start(t, "up", "--listen", addr, "--data", data)
	ada := enter(t, served(t, addr), "ada")
	ada.join("orders/17")
	var at stack.Addresses
	await.That(t, "the stack says where it is", func() bool {
		var err error
		at, err = stack.ReadAddresses(data)
		return err == nil
	})
	start(t, "ingest", "--data", data)
	cluster, err := at.Log()
	if err != nil {
		t.Fatal(err)
	}
	kafka, err := eventlog.New(cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	commands := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicCommands})
	defer commands.Close()
	value := []byte(`{"method":"publish","params":{"channel":"orders/17","user":"shop","body":"It is on its way."}}`)
	if _, err := commands.ProduceSync(soon(t), 0, eventlog.Record{Value: value}); err != nil {
		t.Fatal(err)
	}
	if m := ada.hears(); m.Body != "It is on its way." || m.Origin != "backend" {
		t.Errorf("ada hears %q of origin %q", m.Body, m.Origin)
	}
}
