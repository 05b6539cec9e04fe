package embeddedtest

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords deletes the records of a partition below an offset, as a
// retention that was set by mistake does.
func DeleteRecords(tb testing.TB, addr, topic string, partition int, first int64) {
	tb.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.SetVersion(2)
	req.TimeoutMillis = int32(patience.Milliseconds())
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Partition, rp.Offset = int32(partition), first
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res := kmsg.NewPtrDeleteRecordsResponse()
	res.SetVersion(2)
	if err := res.ReadFrom(ask(tb, addr, req)); err != nil {
		tb.Fatal(err)
	}
	if code := res.Topics[0].Partitions[0].ErrorCode; code != 0 {
		tb.Fatalf("the broker does not delete records of %s/%d: error code %d", topic, partition, code)
	}
}

// ask sends one request over a connection of its own and returns the body of
// the answer.
func ask(tb testing.TB, addr string, req kmsg.Request) []byte {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		tb.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		tb.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		tb.Fatal(err)
	}
	header := 4 // the correlation id
	if req.IsFlexible() {
		header++ // no tags
	}
	return answer[header:]
}

// AddPartitions gives a topic more partitions, as an operator does.
func AddPartitions(tb testing.TB, addr, topic string, count int) {
	tb.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.SetVersion(1)
	req.TimeoutMillis = int32(patience.Milliseconds())
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = topic, int32(count)
	req.Topics = append(req.Topics, rt)
	res := kmsg.NewPtrCreatePartitionsResponse()
	res.SetVersion(1)
	if err := res.ReadFrom(ask(tb, addr, req)); err != nil {
		tb.Fatal(err)
	}
	if code := res.Topics[0].ErrorCode; code != 0 {
		tb.Fatalf("the broker adds no partitions to %s: error code %d", topic, code)
	}
}
