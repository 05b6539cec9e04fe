package eventlog

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// TestBrokerRestartLosesAndRepeatsNothing restarts the broker on its data under
// a producer, a reader and a group, which notice nothing but a delay.
func TestBrokerRestartLosesAndRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	port, err := freeport.Take() // one that the kernel chose may be another's meanwhile
	if err != nil {
		t.Fatal(err)
	}
	first, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{addrs: first.ListenAddrs(), fake: first}.client(t)
	topic, p := filled(t, c, 10)
	r := newReader(t, c, ReaderConfig{Topic: topic})
	readAll(t, r, 10)
	l := newLedger()
	join(t, c, testGroup(topic), l.handler("member"))
	l.await(t, map[string]int{"member": 1})

	first.Close()
	l.await(t, map[string]int{})
	acks := make(chan ack, 100)
	for i := 10; i < 20; i++ { // while it is away
		if err := p.Produce(0, Record{Value: fmt.Append(nil, i)}, func(offset int64, err error) { acks <- ack{offset, err} }); err != nil {
			t.Fatal(err)
		}
	}
	startFake(t, kfake.Ports(port), kfake.DataDir(dir))
	for i := int64(10); i < 20; i++ {
		if a := <-acks; a.err != nil || a.offset != i {
			t.Fatalf("record %d was acknowledged as %+v", i, a)
		}
	}
	for i, rec := range readAll(t, r, 10) {
		if want := fmt.Sprint(10 + i); string(rec.Value) != want {
			t.Fatalf("read %s, want %s", rec.Value, want)
		}
	}
	l.await(t, map[string]int{"member": 1})
	if _, end, err := c.Offsets(context.Background(), topic, 0); err != nil || end != 20 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
}
