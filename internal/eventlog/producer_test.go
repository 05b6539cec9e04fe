package eventlog

import (
	"fmt"
	"testing"
)

func TestProduceKeepsTheOrderOfCalls(t *testing.T) {
	c := startCluster(t).client(t)
	const partitions, each = 3, 2000
	topic := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})

	offsets := make([][]int64, partitions)
	for i := range each {
		for part := range partitions {
			err := p.Produce(part, Record{Value: fmt.Appendf(nil, "%d", i)}, func(offset int64, err error) {
				if err != nil {
					t.Error(err)
				}
				offsets[part] = append(offsets[part], offset)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	for part := range partitions {
		if len(offsets[part]) != each {
			t.Fatalf("partition %d: %d callbacks for %d records", part, len(offsets[part]), each)
		}
		for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic, Partition: part}), each) {
			if want := fmt.Sprint(i); string(rec.Value) != want || rec.Offset != int64(i) || offsets[part][i] != rec.Offset {
				t.Fatalf("partition %d, record %d: offset %d, acknowledged as %d, holds %q", part, i, rec.Offset, offsets[part][i], rec.Value)
			}
		}
	}
}
