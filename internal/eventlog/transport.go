package eventlog

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// transport is kafka-go's, which knows no topics as long as no broker has
// answered, and then reports that the topic does not exist.
type transport struct{ *kafka.Transport }

// RoundTrip sends a request and waits for its response. Where no broker
// answers, the error names that.
func (t *transport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	res, err := t.Transport.RoundTrip(ctx, addr, req)
	if !errors.Is(err, protocol.ErrNoTopic) && !errors.Is(err, protocol.ErrNoPartition) && !errors.Is(err, protocol.ErrNoLeader) {
		return res, err
	}
	// Answered from what the transport knows, or with why it knows nothing.
	if _, unanswered := t.Transport.RoundTrip(ctx, addr, &metadata.Request{}); unanswered != nil {
		return nil, fmt.Errorf("no broker answers: %w", unanswered)
	}
	return nil, err
}
