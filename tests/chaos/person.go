package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/checker"
)

const (
	// answerPatience is how long a client waits for an answer before it gives
	// the connection up; the server's own time-out of a join is 10 s.
	answerPatience = 12 * time.Second
	dialPatience   = 5 * time.Second
	// secret begins the body of every private message, so that it can be
	// searched for where it must not be.
	secret = "secret-"
)

var channels = []string{"lobby", "games", "music", "news", "späti ☕"}

// person is one simulated user at one device, over any number of connections.
// It is owned by the goroutine of its run.
type person struct {
	user   string
	device string // one of the user's
	sys    *system
	rec    *recorder
	rng    *rand.Rand
	quiet  <-chan struct{} // closed when no more is to be sent
	others []string
	plain  bool // it knows nothing of format 2
	// curious: it reads everything again in the end.
	curious bool

	wants    map[string]bool // channels
	seen     map[string]place
	unsent   []act             // whose fate is unknown
	said     act               // last
	edited   act               // last
	standing map[standing]bool // of a moderator; nil for others
	settled  atomic.Bool       // it is quiet, in its channels, and has nothing unsent
}

// place is what a client keeps of a channel to recover.
type place struct {
	epoch string
	seq   int64
}

// run lives until ctx ends. Connections come and go.
func (p *person) run(ctx context.Context) {
	for ctx.Err() == nil {
		if s := p.enter(ctx); s != nil {
			p.live(ctx, s)
			p.remember(s)
		}
		p.settled.Store(false)
		p.sleep(ctx, 100*time.Millisecond, 600*time.Millisecond)
	}
}

// enter opens a session at any connector; nil when it fails.
func (p *person) enter(ctx context.Context) *session {
	i, door := p.sys.door(p.rng)
	if door == nil {
		return nil
	}
	dialing, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	name := fmt.Sprint("connector-", i+1)
	hello, err := p.sys.hello(p.user)
	if err != nil {
		return nil
	}
	s, err := openSession(dialing, p.rec, hello, checker.Entry{User: p.user, Device: p.device, Server: name}, door.addr())
	if err != nil {
		if ctx.Err() == nil {
			p.rec.refuse(name, err)
		}
		return nil
	}
	s.plain = p.plain
	return s
}

// remember keeps what a session has seen for the next one.
func (p *person) remember(s *session) {
	for channel, at := range s.places() {
		p.seen[channel] = at
	}
	p.unsent = append(p.unsent, s.takeUnknown()...)
}

// live does things on one session until it or ctx ends.
func (p *person) live(ctx context.Context, s *session) {
	defer s.cut()
	for channel := range p.wants {
		if !p.join(ctx, s, channel, p.rng.IntN(4) > 0) {
			return
		}
	}
	if p.wants[p.edited.entry.Channel] && !s.do(ctx, p.edited) { // as if its answer had been lost with the connection
		return
	}
	for ctx.Err() == nil && s.alive() {
		select {
		case <-p.quiet:
			if !p.settle(ctx, s) {
				return
			}
		default:
			if !p.act(ctx, s) {
				return
			}
		}
	}
}

// settle sends again what may be missing, and waits for the end.
func (p *person) settle(ctx context.Context, s *session) bool {
	for p.remember(s); len(p.unsent) > 0; p.remember(s) {
		m := p.unsent[0]
		if !p.comeBack(ctx, s, m.entry.Channel) {
			return false
		}
		if p.unsent = p.unsent[1:]; !s.do(ctx, m.again()) {
			return false
		}
	}
	if !p.pardonAll(ctx, s) {
		return false
	}
	for channel := range p.wants {
		if !p.comeBack(ctx, s, channel) {
			return false
		}
	}
	if p.curious && !p.lookBack(ctx, s) {
		return false
	}
	p.settled.Store(true)
	select {
	case <-ctx.Done():
	case <-s.done():
	}
	return false
}

// act does one thing and thinks. It is false when the session is over.
func (p *person) act(ctx context.Context, s *session) bool {
	p.sleep(ctx, 50*time.Millisecond, 500*time.Millisecond)
	p.remember(s)
	channel := p.anyWanted()
	switch n := p.rng.IntN(1000); {
	case channel == "" || n < 40 && len(p.wants) < len(channels):
		channel = channels[p.rng.IntN(len(channels))]
		p.wants[channel] = true
		return p.join(ctx, s, channel, p.rng.IntN(2) == 0)
	case s.isOut(channel) && n < 700:
		return p.join(ctx, s, channel, true)
	case n < 60:
		delete(p.wants, channel)
		return s.leave(ctx, channel)
	case n < 110:
		return s.history(ctx, p.page(s, channel))
	case n < 150:
		return s.members(ctx, channel)
	case n < 160:
		return p.join(ctx, s, channel, false) // once more
	case n < 175:
		return false // cut
	case n < 185:
		s.close()
		return false
	case n < 250 && len(p.unsent) > 0:
		return p.again(ctx, s)
	case n < 300:
		return p.burst(ctx, s, channel)
	case n < 330 && p.wants[p.said.entry.Channel]:
		return s.do(ctx, p.said) // as if its answer had been lost
	case n < 350:
		return p.answers(ctx, s, channel)
	case n < 360 && p.standing != nil:
		return s.sanctions(ctx, channel)
	case n < 650 && p.standing != nil:
		return s.do(ctx, p.moderate(s, channel))
	case n < 600:
		if a, found := p.change(s, channel); found {
			if p.said = a; a.entry.Edit != nil {
				p.edited = a
			}
			return s.do(ctx, a)
		}
		fallthrough
	default:
		p.said = p.message(channel)
		return s.do(ctx, p.said)
	}
}

// again resends an act whose fate is unknown.
func (p *person) again(ctx context.Context, s *session) bool {
	m := p.unsent[0]
	if !p.wants[m.entry.Channel] {
		return true
	}
	p.unsent = p.unsent[1:]
	return s.do(ctx, m.again())
}

// burst sends several messages without waiting in between, the last one twice.
func (p *person) burst(ctx context.Context, s *session, channel string) bool {
	for range 5 {
		p.said = p.message(channel)
		if !s.send(p.said) {
			return false
		}
	}
	return s.do(ctx, p.said)
}

func (p *person) message(channel string) act {
	m := rpc.ChatParams{Channel: channel, ID: ulid.Make().String()}
	m.Body = "hello " + m.ID
	if p.rng.IntN(5) == 0 {
		m.To = p.others[p.rng.IntN(len(p.others))]
		m.Body = secret + m.ID
	}
	if at := p.seen[channel].seq; p.rng.IntN(6) == 0 && at > 0 {
		m.Reply, m.Mentions = at, []string{p.others[0]}
	}
	if p.rng.IntN(8) == 0 {
		m.Type, m.Data = "poll", json.RawMessage(`{"options":["tea","coffee"]}`)
	}
	return chatAct(m)
}

// page asks for any page of history.
func (p *person) page(s *session, channel string) rpc.HistoryParams {
	q := rpc.HistoryParams{Channel: channel, Limit: new(1 + p.rng.IntN(40))}
	seq := s.places()[channel].seq
	at := max(0, seq-p.rng.Int64N(200))
	if p.rng.IntN(6) == 0 {
		q.User = p.others[p.rng.IntN(len(p.others))]
	}
	switch p.rng.IntN(4) {
	case 0:
		q.Before = &at
	case 1:
		q.After = &at
	case 2:
		q.Around, q.User = &at, ""
	}
	return q
}

// join joins a channel, with what was seen of it before or without.
func (p *person) join(ctx context.Context, s *session, channel string, recover bool) bool {
	params := rpc.JoinParams{Channel: channel, Limit: new(p.rng.IntN(60))}
	if at, known := p.seen[channel]; known && recover {
		params.Since, params.Epoch = &at.seq, at.epoch
	}
	// Where it fails it is unknown whether the session is a member: on another
	// connection it is clear.
	return s.join(ctx, params)
}

func (p *person) anyWanted() string {
	n := p.rng.IntN(max(1, len(p.wants)))
	for _, channel := range channels {
		if p.wants[channel] {
			if n == 0 {
				return channel
			}
			n--
		}
	}
	return ""
}

// sleep waits for a while, not evenly.
func (p *person) sleep(ctx context.Context, least, most time.Duration) {
	select {
	case <-time.After(least + time.Duration(p.rng.Int64N(int64(most-least)))):
	case <-ctx.Done():
	}
}
