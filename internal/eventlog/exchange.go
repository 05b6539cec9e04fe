package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxResponse is the largest plausible response.
const maxResponse = 256 << 20

// exchange is a request of a newer protocol version than kafka-go speaks. It
// goes through kafka-go's pool like any other, but writes itself and reads its
// own response, without copying what the response holds.
type exchange struct {
	clientID string
	req      kmsg.Request
	// leaderOf names the partition whose leader must answer, and broker the one
	// that must; any broker may where both are empty.
	leaderOf topicPartition
	broker   *int
}

type topicPartition struct {
	topic     string
	partition int32
}

var (
	_ protocol.BrokerMessage = (*exchange)(nil)
	_ protocol.RawExchanger  = (*exchange)(nil)
)

// exchanged is the response to an exchange.
type exchanged struct{ kmsg.Response }

// ApiKey names the request to the pool.
func (e *exchange) ApiKey() protocol.ApiKey { return protocol.ApiKey(e.req.Key()) }

// ApiKey names the response to the pool.
func (r exchanged) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.Key()) }

// Ask sends a request of a newer protocol version than kafka-go speaks to a broker,
// or to any where broker is nil, once.
func (c *Client) Ask(ctx context.Context, req kmsg.Request, broker *int) (kmsg.Response, error) {
	return c.exchange(ctx, requestTimeout, &exchange{req: req, broker: broker})
}

// exchange sends e and waits for its response, for at most timeout. An end of
// ctx is noticed at once.
func (c *Client) exchange(ctx context.Context, timeout time.Duration, e *exchange) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	e.clientID = c.cfg.ClientID
	res, err := c.transport.RoundTrip(ctx, c.addr, e)
	if err != nil {
		return nil, err
	}
	c.answered()
	return res.(exchanged).Response, nil
}

// Broker picks the broker that the request goes to.
func (e *exchange) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if e.broker != nil {
		broker, ok := cluster.Brokers[int32(*e.broker)]
		if !ok {
			return protocol.Broker{}, fmt.Errorf("there is no broker %d at the moment", *e.broker)
		}
		return broker, nil
	}
	if e.leaderOf.topic == "" {
		return protocol.Broker{ID: -1}, nil
	}
	topic, ok := cluster.Topics[e.leaderOf.topic]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoTopic(e.leaderOf.topic)
	}
	partition, ok := topic.Partitions[e.leaderOf.partition]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoPartition(e.leaderOf.topic, e.leaderOf.partition)
	}
	broker, ok := cluster.Brokers[partition.Leader]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoLeader(e.leaderOf.topic, e.leaderOf.partition)
	}
	return broker, nil
}

// Required makes the pool hand over the connection.
func (e *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the request and reads the response. The connection serves
// one request at a time, so the correlation id need not vary.
func (e *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const correlationID = 1
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(e.clientID))
	if _, err := rw.Write(format.AppendRequest(nil, e.req, correlationID)); err != nil {
		return nil, err
	}
	res, err := readResponse(rw, e.req, correlationID)
	if err != nil {
		return nil, err
	}
	return exchanged{res}, nil
}

// readResponse reads the response to a request of that number.
func readResponse(r io.Reader, req kmsg.Request, number int32) (kmsg.Response, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, noEOF(err)
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if size < 0 || size > maxResponse {
		return nil, fmt.Errorf("a broker announced a response of %d bytes: is this a Kafka port?", size)
	}
	if id := int32(binary.BigEndian.Uint32(head[4:])); id != number {
		return nil, fmt.Errorf("a broker answered request %d instead of %d", id, number)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, noEOF(err)
	}
	res := req.ResponseKind()
	if res.IsFlexible() {
		var err error
		if body, err = skipTags(body); err != nil {
			return nil, err
		}
	}
	if err := res.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("a broker's response cannot be decoded: %w", err)
	}
	return res, nil
}

// skipTags cuts the tagged fields off a flexible response header.
func skipTags(body []byte) ([]byte, error) {
	errShort := errors.New("a broker's response header is cut short")
	count, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, errShort
	}
	body = body[n:]
	for ; count > 0; count-- {
		_, tag := binary.Uvarint(body)
		if tag <= 0 {
			return nil, errShort
		}
		size, n := binary.Uvarint(body[tag:])
		if n <= 0 || size > uint64(len(body)-tag-n) {
			return nil, errShort
		}
		body = body[tag+n+int(size):]
	}
	return body, nil
}
