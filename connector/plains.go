package connector

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/plain"
)

const (
	headTimeout    = 5 * time.Second  // for a request's head
	requestTimeout = 10 * time.Second // for all of a request: none has a body that we read
	answerTimeout  = 30 * time.Second // for the page to be taken
	idleTimeout    = time.Minute      // between two requests
	maxHead        = 16 << 10         // bytes of a request's head
	// acceptPatience is for how long a connection that could not be accepted
	// counts: accepting is tried again within a second.
	acceptPatience = 5 * time.Second
)

// newServer serves requests for the page, and those whose upgrade is still to
// come.
func newServer(handler http.Handler, most int, m *metrics) *plain.Server {
	return plain.NewServer(handler, plain.Bounds{
		Head: headTimeout, Request: requestTimeout, Answer: answerTimeout, Idle: idleTimeout,
		HeadBytes: maxHead, Connections: most, OnCrowded: func() { m.limited.Add(1, "plain") },
	})
}

// accepting knows whether connections can be accepted. Safe for concurrent use.
type accepting struct {
	mu       sync.Mutex
	failedAt time.Time // when accepting failed last
	failure  error
}

// failed takes note that a connection could not be accepted.
func (a *accepting) failed(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failedAt, a.failure = time.Now(), err
}

// failing is why connections cannot be accepted now; nil when they can.
func (a *accepting) failing(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == nil || now.Sub(a.failedAt) > acceptPatience {
		return nil
	}
	return a.failure
}

// ownDescriptors are what a process needs beside its clients' connections:
// Kafka, ClickHouse, files, and the embedded servers of `parley up`.
const ownDescriptors = 256

// fitDescriptors lowers what is admitted to what the process may have open:
// one client too many would take the descriptor that Kafka needs.
func fitDescriptors(open uint64, connections, plain int) (fitConnections, fitPlain int) {
	most := int(min(open, 1<<30))
	free := most - min(ownDescriptors, most/2)
	if plain > 0 {
		plain = max(1, min(plain, free/4))
	}
	return max(1, min(connections, free-plain)), plain
}
