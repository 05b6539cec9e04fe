package connector

import (
	"container/list"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
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

// plains are the connections that are not WebSockets: requests for the page, and
// those whose upgrade is still to come. Beyond the most that there may be the
// oldest is closed, so that whoever holds them keeps nobody else out: a request
// that is sent takes milliseconds. Safe for concurrent use.
type plains struct {
	most    int // 0: no limit
	metrics *metrics

	mu       sync.Mutex
	all      list.List // of *socket, the oldest first
	places   map[*socket]*list.Element
	failedAt time.Time // when accepting failed last
	failure  error
}

func newPlains(most int, m *metrics) *plains {
	return &plains{most: most, metrics: m, places: map[*socket]*list.Element{}}
}

func (p *plains) add(s *socket) {
	p.mu.Lock()
	p.places[s] = p.all.PushBack(s)
	var oldest *socket
	if p.most > 0 && p.all.Len() > p.most {
		oldest = p.all.Front().Value.(*socket)
	}
	p.mu.Unlock()
	if oldest != nil {
		p.metrics.limited.Add(1, "plain")
		_ = oldest.Close()
	}
}

// remove forgets a connection that is closed, or a WebSocket now.
func (p *plains) remove(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.places[s]; e != nil {
		p.all.Remove(e)
		delete(p.places, s)
	}
}

func (p *plains) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.Len()
}

// failed takes note that a connection could not be accepted.
func (p *plains) failed(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failedAt, p.failure = time.Now(), err
}

// failing is why connections cannot be accepted now; nil when they can.
func (p *plains) failing(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil || now.Sub(p.failedAt) > acceptPatience {
		return nil
	}
	return p.failure
}

// state is told by the server what becomes of a connection.
func (p *plains) state(c net.Conn, state http.ConnState) {
	if s, ok := c.(*socket); ok && state == http.StateHijacked {
		p.remove(s)
	}
}

// headSlack is what net/http reads beyond MaxHeaderBytes.
const headSlack = 4 << 10

func (p *plains) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead - headSlack,
		ConnState:         p.state,
	}
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

// openFiles is how many descriptors this process may have.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err
}
