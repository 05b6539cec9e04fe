package connector

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

// Edge bounds what clients may take of a connector, beside rpc.Limits, which
// clients are given. 0 means the default, and for an open connector on loopback
// no limit; a negative number means no limit.
type Edge struct {
	AddressConnections int // WebSockets of a client's address, with IPv6 of a /64; default 1,000
	UserConnections    int // WebSockets of a user; default 50
	Upgrades           int // WebSockets that begin in a second, burst twice as many; a tenth of it an address; default 500
	BeforeHello        int // WebSockets that have not sent hello yet; default 2,000
	Plain              int // connections that are not WebSockets; default 500
	UserRate           int // requests a second of a user's sessions together; default 200
	UserJoins          int // joins a second of a user's sessions together; default 40
	ReadRate           int // bytes a second that are read from one connection, burst four times as many; default 1 MiB
}

const (
	// silentAfter is how long a connection may be without a hello before it has
	// to make room for another one.
	silentAfter = time.Second
	// addressShare is the part of all upgrades that one address may take.
	addressShare = 10
	// probeEvery is for how long it is believed that all connections of a user
	// who has too many are alive.
	probeEvery = time.Minute
)

// errAsked refuses a user's connection for now: the others are being asked
// whether they are alive. errTooMany does when they are.
var (
	errAsked   = errors.New("the user has too many connections, and the others are being asked whether they are alive: try later")
	errTooMany = errors.New("the user has too many connections")
)

// What upgrades are refused for: values of a label.
const (
	refusedFull    = "full"
	refusedAddress = "address"
	refusedRate    = "rate"
	refusedHello   = "hello"
)

// admission decides who may open a WebSocket, and keeps what sessions share
// over them. It counts open sockets, whatever incarnation they belong to. A nil
// admission limits nothing. Safe for concurrent use.
type admission struct {
	connections int // at once
	edge        Edge
	limits      rpc.Limits
	metrics     *metrics
	verdict     time.Duration // after a probe, whoever has not answered it is gone

	mu        sync.Mutex
	open      int
	upgrades  *bucket
	addresses holders[netip.Prefix, *bucket]
	users     holders[string, *account]
	silent    list.List // of *ticket: those before hello, the oldest first
}

// ticket is the place of one WebSocket, from before its upgrade until its
// socket is closed.
type ticket struct {
	admission *admission
	address   netip.Prefix // invalid: unknown
	since     time.Time

	// Guarded by admission.mu.
	silent   *list.Element // nil: hello has come
	evict    func()        // closes the connection at once; nil: it is not upgraded yet
	released bool
}

func newAdmission(cfg *Config, m *metrics) *admission {
	a := &admission{connections: cfg.MaxConnections, edge: cfg.Edge, limits: cfg.Limits, metrics: m, verdict: cfg.PongTimeout + ws.WriteTimeout}
	e, l := a.edge, a.limits
	a.upgrades = newBucket(e.Upgrades, 2*e.Upgrades)
	share := e.Upgrades / addressShare
	a.addresses = holders[netip.Prefix, *bucket]{
		remember: refill(share, 2*share), most: cfg.MaxConnections,
		make: func() *bucket { return newBucket(share, 2*share) },
	}
	requests, joins := e.UserRate+2*l.Channels, 2*l.Channels
	a.users = holders[string, *account]{
		remember: max(refill(e.UserRate, requests), refill(e.UserJoins, joins), 2*time.Second), most: cfg.MaxConnections,
		make: func() *account {
			return &account{requests: newBucket(e.UserRate, requests), joins: newBucket(e.UserJoins, joins)}
		},
	}
	return a
}

// admit gives a place to a connection that is to become a WebSocket, or says
// what it is refused for.
func (a *admission) admit(address netip.Prefix, now time.Time) (t *ticket, refused string) {
	a.mu.Lock()
	t, refused, evict := a.admitLocked(address, now)
	a.mu.Unlock()
	if evict != nil {
		a.metrics.limited.Add(1, "hello")
		evict()
	}
	return t, refused
}

func (a *admission) admitLocked(address netip.Prefix, now time.Time) (t *ticket, refused string, evict func()) {
	var from *holder[*bucket]
	if address.IsValid() {
		from = a.addresses.get(address, now)
		if most := a.edge.AddressConnections; most > 0 && from.held >= most {
			return nil, refusedAddress, nil
		}
		if _, ok := draw(from.value, now); !ok {
			return nil, refusedAddress, nil
		}
	}
	if _, ok := draw(a.upgrades, now); !ok {
		return nil, refusedRate, nil
	}
	most := a.edge.BeforeHello
	full := a.open >= a.connections
	if full || most > 0 && a.silent.Len() >= most {
		oldest := a.silentLongest(now)
		switch {
		case oldest != nil:
			evict = oldest.evict
			a.releaseLocked(oldest, now)
		case full:
			return nil, refusedFull, nil
		default:
			return nil, refusedHello, nil
		}
	}
	t = &ticket{admission: a, address: address, since: now}
	t.silent = a.silent.PushBack(t)
	a.open++
	if from != nil {
		a.addresses.hold(from)
	}
	return t, "", evict
}

// silentLongest is the ticket that has waited longest for its hello, for
// silentAfter or longer; nil: there is none.
func (a *admission) silentLongest(now time.Time) *ticket {
	first := a.silent.Front()
	if first == nil {
		return nil
	}
	t := first.Value.(*ticket)
	if t.evict == nil || now.Sub(t.since) < silentAfter {
		return nil
	}
	return t
}

// upgraded says how to close the connection when others need its place.
func (t *ticket) upgraded(evict func()) {
	t.admission.mu.Lock()
	defer t.admission.mu.Unlock()
	t.evict = evict
}

// greeted notes that hello has come.
func (t *ticket) greeted() {
	if t == nil {
		return
	}
	t.admission.mu.Lock()
	defer t.admission.mu.Unlock()
	t.admission.greetLocked(t)
}

func (a *admission) greetLocked(t *ticket) {
	if t.silent != nil {
		a.silent.Remove(t.silent)
		t.silent = nil
	}
}

// release gives the place back once the socket is closed.
func (t *ticket) release() {
	a := t.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	a.releaseLocked(t, time.Now())
}

func (a *admission) releaseLocked(t *ticket, now time.Time) {
	if t.released {
		return
	}
	t.released = true
	a.greetLocked(t)
	a.open--
	if t.address.IsValid() {
		a.addresses.release(t.address, now)
	}
}

// enter notes a session of a user, who has an account then. One who has too
// many is refused, for good only once all of these have had the time to answer
// a ping: those whose network is gone do not keep the user out.
func (a *admission) enter(user string, now time.Time) (*account, error) {
	if a == nil {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.users.get(user, now)
	if most := a.edge.UserConnections; most > 0 && u.held >= most {
		if u.value.ask(now, a.verdict) {
			return nil, errAsked
		}
		return nil, errTooMany
	}
	a.users.hold(u)
	return u.value, nil
}

// leave notes that the connection of a user's session is gone.
func (a *admission) leave(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users.release(user, time.Now())
}

// expire forgets what need not be remembered any more.
func (a *admission) expire(now time.Time) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addresses.expire(now)
	a.users.expire(now)
}

// counts are the open WebSockets that have not sent hello, the users and the
// addresses that are remembered.
func (a *admission) counts() (silent, users, addresses int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.silent.Len(), len(a.users.all), len(a.addresses.all)
}
