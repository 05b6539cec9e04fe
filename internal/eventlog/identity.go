package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// renewAfter is how long a transactional id is held before its epoch is
	// renewed. Brokers forget an id that was not initialised for a week, even
	// if it was written under, and would then not fence its owner.
	renewAfter = 24 * time.Hour
	// transactionTimeout is asked for because the protocol needs one; no
	// transaction is ever opened.
	transactionTimeout = time.Minute
)

// session is an identity under which batches are numbered.
type session struct {
	producerID int64
	epoch      int16
	taken      time.Time
	lost       atomic.Bool // its sequence numbers can no longer be relied on
}

// identity holds a producer's session and replaces it when it is lost.
type identity struct {
	c       *Client
	txID    string
	turn    chan struct{} // holds one token: whoever has it may touch current
	current *session
}

func newIdentity(c *Client, cfg ProducerConfig) identity {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return identity{c: c, txID: cfg.TransactionalID, turn: turn}
}

// get returns the current session, or takes a new one when none was taken or
// the current one is lost. It waits for the cluster until ctx ends.
func (i *identity) get(ctx context.Context) (*session, error) {
	select {
	case <-i.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { i.turn <- struct{}{} }()
	if i.current != nil && !i.current.lost.Load() {
		return i.current, nil
	}
	var fresh *session
	err := i.c.Retry(ctx, func() error {
		var err error
		fresh, err = i.request(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take a producer id: %w", err)
	}
	i.current = fresh
	return fresh, nil
}

// request asks once. An owner of a transactional id names the session it has, so
// that a broker can distinguish it from one that was fenced.
func (i *identity) request(ctx context.Context) (*session, error) {
	req := &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1}
	if i.txID != "" {
		req.TransactionalID = i.txID
		req.TransactionTimeoutMs = int(transactionTimeout.Milliseconds())
		if i.current != nil {
			req.ProducerID, req.ProducerEpoch = int(i.current.producerID), int(i.current.epoch)
		}
	}
	res, err := i.c.kafka.InitProducerID(ctx, req)
	if err != nil {
		return nil, err
	}
	if isFenced(res.Error) {
		return nil, &refusal{fmt.Errorf("%w: %w", ErrFenced, res.Error)}
	}
	if res.Error != nil {
		return nil, res.Error
	}
	return &session{
		producerID: int64(res.Producer.ProducerID),
		epoch:      int16(res.Producer.ProducerEpoch),
		taken:      time.Now(),
	}, nil
}

// isFenced reports whether a broker may know a newer owner of the identity. An
// id that it no longer maps to this owner had time to pass to another.
func isFenced(err error) bool {
	return errors.Is(err, kafka.InvalidProducerEpoch) || errors.Is(err, kafka.ProducerFenced) ||
		errors.Is(err, kafka.InvalidProducerIDMapping)
}
