package eventlog_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
)

// A topic is created, written to and read from its beginning.
func Example() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		panic(err)
	}
	defer broker.Close()

	client, err := eventlog.New(eventlog.Config{Brokers: broker.ListenAddrs()})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	ctx := context.Background()
	if err := admin.EnsureTopics(ctx, client, []admin.Topic{{Name: "letters", Partitions: 1}}); err != nil {
		panic(err)
	}

	producer := client.NewProducer(eventlog.ProducerConfig{Topic: "letters"})
	for _, letter := range []string{"a", "b", "c"} {
		// The callback learns the offset once every in-sync replica has the record.
		err := producer.Produce(0, eventlog.Record{Value: []byte(letter)}, func(offset int64, err error) {
			fmt.Println("written", letter, "at", offset, err)
		})
		if err != nil {
			panic(err)
		}
	}
	if err := producer.Drain(ctx); err != nil {
		panic(err)
	}

	reader := client.NewReader(eventlog.ReaderConfig{Topic: "letters", Offset: 1})
	defer reader.Close()
	for next := int64(1); next < 3; {
		batch, err := reader.Next(ctx)
		if err != nil {
			panic(err)
		}
		for _, rec := range batch.Records {
			fmt.Println("read", string(rec.Value), "at", rec.Offset)
		}
		next = batch.NextOffset
	}
	// Output:
	// written a at 0 <nil>
	// written b at 1 <nil>
	// written c at 2 <nil>
	// read b at 1
	// read c at 2
}
