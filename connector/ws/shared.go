package ws

import (
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	requestBytes = 128 << 20 // of what all clients have asked, together
	readingBytes = 64 << 20  // of messages that are being read or wait to be handled, together
	requestShare = 2 << 10   // that each client has beyond them
)

// Shared is what connections have in common: who writes for them, and what they
// may take together.
type Shared struct {
	Flushers *Flushers
	Queues   *Budget     // nil: no bound
	Requests *quota.Pool // of what clients have asked, and is not answered
	Reading  *quota.Pool // of messages that are being read
	Parking  *Parking    // of connections that nothing comes from

	limits   rpc.Limits
	readRate int // bytes a second of each
	slowed   func()
}

// NewShared returns what connections with these limits share. Each is read at
// readRate bytes a second, 0 meaning any; slowed is called when it waits for that.
func NewShared(l rpc.Limits, readRate int, queues *Budget, slowed func()) *Shared {
	return &Shared{
		Flushers: NewFlushers(), Queues: queues,
		Requests: quota.NewPool(requestBytes, requestShare), Reading: quota.NewPool(readingBytes, 0), Parking: new(Parking),
		limits: l, readRate: readRate, slowed: slowed,
	}
}

// Options are those of each of them.
func (s *Shared) Options() Options {
	return Options{
		Message: s.limits.Frame, Queue: s.limits.Queue, ReadRate: s.readRate, OnSlowed: s.slowed,
		Flushers: s.Flushers, Budget: s.Queues, Requests: s.Requests, Reading: s.Reading, Parking: s.Parking,
	}
}
