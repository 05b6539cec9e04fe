package connector

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// session is one client's connection; it has a user from its hello on. It outlives
// its connection until the leaves of its channels have passed.
//
// Lock order: channel, then session.mu, then what its front has.
type session struct {
	id    string
	inc   *incarnation
	front front.Front
	// protocol of its client, as metrics name it.
	protocol string

	// A slot for each request that is not answered yet.
	unanswered chan struct{}

	ticket *admission.Ticket // of its connection

	// backend carries its one request; nil: a client does.
	backend *backend

	spans openSpans

	// Owned by the reading goroutine.
	bearer string          // the token of the upgrade request, until hello
	flood  admission.Flood // malformed frames

	pace pace

	searching atomic.Bool // it has a search under way

	mu      sync.Mutex
	user    string        // "" before hello; set once
	places  places        // channels joined, being joined or being left
	ended   bool          // the connection is gone
	leaveAt time.Time     // when an ended session leaves its channels
	reason  schema.Reason // of these leaves
	barred  bool          // its user is shut out, which ends it
	token   identity.Stamp
	greeted time.Time // when its first hello came
	info    []byte    // JSON that the token tells of the user; nil: nothing
	rights  rights
	judged  uint64 // the version of the rules that it was judged by

	opened time.Time
}

func (inc *incarnation) newSession(f front.Front, token string) *session {
	return &session{
		id: ulid.Make().String(), inc: inc, front: f, bearer: token,
		protocol:   cmp.Or(f.Manner().Protocol, front.JSONRPC),
		unanswered: make(chan struct{}, inc.limits.Pipeline),
		pace:       newPace(inc),
		places:     map[string]*place{},
		opened:     time.Now(),
	}
}

// serve reads until the connection ends, which is counted among the incarnation's work.
// While the connection is parked nothing is left of it but that.
func (s *session) serve() {
	ending, parked := s.front.Serve(s.handle, s.serve)
	if parked {
		return
	}
	defer s.inc.work.Done()
	clean, reason := s.howEnded(ending)
	s.end(clean, reason)
	s.inc.metrics.closed(ending)
	s.front.Discard()
	s.inc.metrics.connections.Add(-1)
	if s.pace.account != nil {
		s.inc.edge.Leave(s.user)
	}
	s.ticket.Release()
}

// howEnded distinguishes a clean end, whose leaves are published at once, from a cut.
func (s *session) howEnded(e front.Ending) (clean bool, reason schema.Reason) {
	switch {
	case e.Ours == rpc.CloseAdmin && s.isBarred():
		return true, schema.Reason_REASON_BARRED
	case e.Ours == rpc.CloseNoPong:
		return false, schema.Reason_REASON_TIMEOUT
	case e.Ours != 0:
		return e.Ours >= rpc.CloseBadToken, schema.Reason_REASON_DISCONNECT
	default:
		return e.Clean && !s.inc.draining.Load(), schema.Reason_REASON_DISCONNECT
	}
}

func (s *session) isBarred() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.barred
}

// place returns the session's place in a channel that it has joined, or is
// joining.
func (s *session) place(channel string) (*place, *rpc.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[channel]; p != nil && p.joined() {
		return p, nil
	}
	return nil, rpc.NotJoined()
}
