// Package admission decides how many WebSockets may be open, of everybody, of
// an address and of a user, and how much those of a user may ask for together.
// Package gate
// decides who may connect at all.
package admission

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Limits bounds what clients may take of a connector, beside rpc.Limits, which
// clients are given. In a connector's configuration 0 means the default, and for
// an open connector on loopback no limit; a negative number means no limit. From
// there on 0 means no limit.
type Limits struct {
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
	// SilentAfter is how long a connection may be without a hello before it has
	// to make room for another one.
	SilentAfter = time.Second
	// addressShare is the part of all upgrades that one address may take.
	addressShare = 10
	// probeEvery is for how long it is believed that all connections of a user
	// who has too many are alive.
	probeEvery = time.Minute
)

// ErrAsked refuses a user's connection for now: the others are being asked
// whether they are alive. ErrTooMany does when they are.
var (
	ErrAsked   = errors.New("the user has too many connections, and the others are being asked whether they are alive: try later")
	ErrTooMany = errors.New("the user has too many connections")
)

// What upgrades are refused for: values of a label.
const (
	RefusedFull    = "full"
	RefusedAddress = "address"
	RefusedRate    = "rate"
	RefusedHello   = "hello"
)

// Config is what a Control needs.
type Config struct {
	Limits      Limits
	Connections int                // WebSockets at once
	Channels    int                // of a session, which joins all of them again when it comes back
	Verdict     time.Duration      // after a probe, whoever has not answered it is gone
	Limited     func(limit string) // told of a connection that made room for another one, as "hello"
}

// Control decides who may open a WebSocket, and keeps what sessions share over
// them. A nil Control limits nothing. Safe for concurrent use.
type Control struct {
	cfg Config

	mu        sync.Mutex
	open      int
	upgrades  *Bucket
	addresses holders[netip.Prefix, *Bucket]
	users     holders[string, *Account]
	silent    list.List // of *Ticket: those before hello, the oldest first
}

// Ticket is the place of one WebSocket, from before its upgrade until its
// socket is closed.
type Ticket struct {
	control *Control
	address netip.Prefix // invalid: unknown
	since   time.Time

	// Guarded by control.mu.
	silent   *list.Element // nil: hello has come
	evict    func()        // closes the connection at once; nil: it is not upgraded yet
	released bool
}

// New begins with no WebSocket open.
func New(cfg Config) *Control {
	c := &Control{cfg: cfg}
	l := cfg.Limits
	c.upgrades = NewBucket(l.Upgrades, 2*l.Upgrades)
	share := l.Upgrades / addressShare
	c.addresses = holders[netip.Prefix, *Bucket]{
		remember: refill(share, 2*share), most: cfg.Connections,
		make: func() *Bucket { return NewBucket(share, 2*share) },
	}
	requests, joins := l.UserRate+2*cfg.Channels, 2*cfg.Channels
	c.users = holders[string, *Account]{
		remember: max(refill(l.UserRate, requests), refill(l.UserJoins, joins), 2*time.Second), most: cfg.Connections,
		make: func() *Account {
			return &Account{requests: NewBucket(l.UserRate, requests), joins: NewBucket(l.UserJoins, joins)}
		},
	}
	return c
}

// Admit gives a place to a connection that is to become a WebSocket, or says
// what it is refused for.
func (c *Control) Admit(address netip.Prefix, now time.Time) (t *Ticket, refused string) {
	c.mu.Lock()
	t, refused, evict := c.admitLocked(address, now)
	c.mu.Unlock()
	if evict != nil {
		c.cfg.Limited("hello")
		evict()
	}
	return t, refused
}

func (c *Control) admitLocked(address netip.Prefix, now time.Time) (t *Ticket, refused string, evict func()) {
	var from *holder[*Bucket]
	if address.IsValid() {
		from = c.addresses.get(address, now)
		if most := c.cfg.Limits.AddressConnections; most > 0 && from.held >= most {
			return nil, RefusedAddress, nil
		}
		if _, ok := Draw(from.value, now); !ok {
			return nil, RefusedAddress, nil
		}
	}
	if _, ok := Draw(c.upgrades, now); !ok {
		return nil, RefusedRate, nil
	}
	most := c.cfg.Limits.BeforeHello
	full := c.open >= c.cfg.Connections
	if full || most > 0 && c.silent.Len() >= most {
		oldest := c.silentLongest(now)
		switch {
		case oldest != nil:
			evict = oldest.evict
			c.releaseLocked(oldest, now)
		case full:
			return nil, RefusedFull, nil
		default:
			return nil, RefusedHello, nil
		}
	}
	t = &Ticket{control: c, address: address, since: now}
	t.silent = c.silent.PushBack(t)
	c.open++
	if from != nil {
		c.addresses.hold(from)
	}
	return t, "", evict
}

// silentLongest is the ticket that has waited longest for its hello, for
// SilentAfter or longer; nil: there is none.
func (c *Control) silentLongest(now time.Time) *Ticket {
	first := c.silent.Front()
	if first == nil {
		return nil
	}
	t := first.Value.(*Ticket)
	if t.evict == nil || now.Sub(t.since) < SilentAfter {
		return nil
	}
	return t
}

// Upgraded says how to close the connection when others need its place.
func (t *Ticket) Upgraded(evict func()) {
	t.control.mu.Lock()
	defer t.control.mu.Unlock()
	t.evict = evict
}

// Greeted notes that hello has come.
func (t *Ticket) Greeted() {
	if t == nil {
		return
	}
	t.control.mu.Lock()
	defer t.control.mu.Unlock()
	t.control.greetLocked(t)
}

func (c *Control) greetLocked(t *Ticket) {
	if t.silent != nil {
		c.silent.Remove(t.silent)
		t.silent = nil
	}
}

// Release gives the place back once the socket is closed.
func (t *Ticket) Release() {
	c := t.control
	c.mu.Lock()
	defer c.mu.Unlock()
	c.releaseLocked(t, time.Now())
}

func (c *Control) releaseLocked(t *Ticket, now time.Time) {
	if t.released {
		return
	}
	t.released = true
	c.greetLocked(t)
	c.open--
	if t.address.IsValid() {
		c.addresses.release(t.address, now)
	}
}

// Enter notes a session of a user, who has an account then. One who has too
// many is refused, for good only once all of these have had the time to answer
// a ping: those whose network is gone do not keep the user out.
func (c *Control) Enter(user string, now time.Time) (*Account, error) {
	if c == nil {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.users.get(user, now)
	if most := c.cfg.Limits.UserConnections; most > 0 && u.held >= most {
		if u.value.ask(now, c.cfg.Verdict) {
			return nil, ErrAsked
		}
		return nil, ErrTooMany
	}
	c.users.hold(u)
	return u.value, nil
}

// Leave notes that the connection of a user's session is gone.
func (c *Control) Leave(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users.release(user, time.Now())
}

// Expire forgets what need not be remembered any more.
func (c *Control) Expire(now time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addresses.expire(now)
	c.users.expire(now)
}

// Counts are what a [Control] holds.
type Counts struct {
	Open, Silent     int // WebSockets; those that have not sent hello
	Users, Addresses int // that are remembered
}

// Counts returns what there is now.
func (c *Control) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Counts{c.open, c.silent.Len(), len(c.users.all), len(c.addresses.all)}
}
