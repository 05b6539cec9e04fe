// Package latetest has commits of offsets arrive late at the broker.
package latetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Wire is a network between clients and brokers. Its zero value is one without faults.
type Wire struct {
	mu     sync.Mutex
	armed  bool
	of     int32         // the partition whose commit is to be held
	held   []byte        // the request, when it is there
	broker string        // to which it was sent
	there  chan struct{} // closed then
}

// Dial opens a connection, as of an eventlog.Config.
func (w *Wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, wire: w, broker: address}, nil
}

// Hold keeps the next commit of a partition on its way, and cuts the connection of its
// client.
func (w *Wire) Hold(partition int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.of, w.held, w.there = true, int32(partition), nil, make(chan struct{})
}

// Await waits until a commit is held.
func (w *Wire) Await(ctx context.Context) error {
	w.mu.Lock()
	there := w.there
	w.mu.Unlock()
	select {
	case <-there:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no commit is held: %w", ctx.Err())
	}
}

// Deliver has the commit arrive that is held, and returns what the broker answers to it.
func (w *Wire) Deliver(ctx context.Context) (refused, err error) {
	w.mu.Lock()
	req, broker := w.held, w.broker
	w.mu.Unlock()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(req); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, err
	}
	res := kmsg.OffsetCommitResponse{Version: int16(binary.BigEndian.Uint16(req[6:]))}
	if err := res.ReadFrom(body[4:]); err != nil {
		return nil, err
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			refused = errors.Join(refused, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return refused, nil
}

type conn struct {
	net.Conn
	wire   *Wire
	broker string
}

func (c *conn) Write(b []byte) (int, error) {
	w := c.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.armed || !commits(b, w.of) {
		return c.Conn.Write(b)
	}
	w.armed, w.held, w.broker = false, append([]byte(nil), b...), c.broker
	close(w.there)
	return len(b), c.Conn.Close() // what waits for the answer fails
}

// commits reports whether b is a request that commits an offset of a partition.
func commits(b []byte, partition int32) bool {
	const head = 14 // with the length of the client's id
	if len(b) < head || int(binary.BigEndian.Uint32(b))+4 != len(b) || binary.BigEndian.Uint16(b[4:]) != uint16(kmsg.OffsetCommit) {
		return false
	}
	req := kmsg.OffsetCommitRequest{Version: int16(binary.BigEndian.Uint16(b[6:]))}
	id := max(0, int(int16(binary.BigEndian.Uint16(b[12:]))))
	return req.ReadFrom(b[min(len(b), head+id):]) == nil && len(req.Topics) == 1 && len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == partition
}
