package ingest

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// What a backend writes in a transaction is carried out once that is committed, and
// never where it is aborted, whoever reads it: also one who takes over.
func TestTransactions(t *testing.T) {
	s := newSystem(t)
	backend, err := kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.TransactionalID("backend"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	begin := func(body string) {
		t.Helper()
		err := backend.BeginTransaction()
		if err == nil {
			value := fmt.Appendf(nil, `{"method":"publish","params":{"channel":"a","user":"ada","body":%q}}`, body)
			err = backend.ProduceSync(s.ctx, &kgo.Record{Topic: schema.TopicCommands, Value: value}).FirstErr()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := backend.EndTransaction(s.ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	say := func(body string, how kgo.TransactionEndTry) {
		t.Helper()
		begin(body)
		end(how)
	}
	stop := s.start()
	say("one", kgo.TryCommit)
	say("two, aborted", kgo.TryAbort)
	say("three", kgo.TryCommit)
	await.That(t, "what is committed is carried out", func() bool { return len(s.events("a")) == 2 })
	stop()
	say("four, aborted", kgo.TryAbort)
	say("five", kgo.TryCommit)
	begin("six, open")
	s.start()
	await.That(t, "what is committed is carried out after a takeover", func() bool { return len(s.events("a")) == 3 })
	end(kgo.TryAbort)
	say("seven", kgo.TryCommit)
	await.That(t, "what comes after is carried out", func() bool { return len(s.events("a")) >= 4 })
	for n, e := range s.events("a") {
		if want := []string{"one", "three", "five", "seven"}[n]; e.GetChat().Body != want {
			t.Errorf("message %d is %q, want %q", n, e.GetChat().Body, want)
		}
	}
}
