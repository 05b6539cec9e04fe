package eventlog

import (
	"errors"
	"fmt"
	"testing"
)

// An owner that slept through its replacement can write until its successor
// has written to the same partition, and never again after that: so whoever
// takes a partition writes a claim before it reads what is there. The embedded
// broker is stricter, which is no harm.
func TestZombieCannotWriteBehindTheClaim(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, nil)
	cfg := ProducerConfig{Topic: topic, TransactionalID: topic}
	zombie, owner := newProducer(t, c, cfg), newProducer(t, c, cfg)
	produceOne(t, zombie, 0, Record{Value: []byte("before")})
	if err := owner.Init(testContext(t)); err != nil {
		t.Fatal(err)
	}
	claim := produceOne(t, owner, 0, Record{Value: []byte("claim")})

	for i := range 3 {
		refused := make(chan error, 1)
		err := zombie.Produce(0, Record{Value: fmt.Append(nil, "late ", i)}, func(_ int64, err error) { refused <- err })
		if err == nil {
			err = <-refused
		}
		if !errors.Is(err, ErrFenced) {
			t.Errorf("the zombie's record: %v", err)
		}
	}
	if next := produceOne(t, owner, 0, Record{Value: []byte("after")}); next != claim+1 {
		t.Errorf("the owner's record is at %d, its claim at %d", next, claim)
	}
}
