package connector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	rosterTime   = 5 * time.Second // for which what was read is current: chat workers write it as often
	rosterIdle   = time.Minute     // after which what nobody asks for is forgotten
	rosterBudget = 256 << 20       // bytes of names that are kept
	// What a channel and a membership take besides their names.
	channelCost = 900
	memberCost  = 160
)

var errRoster = &rpc.Error{Code: rpc.CodeFull, Message: "full: there are more memberships than one connector lists", Data: &rpc.ErrorData{Limit: rosterBudget}}

// roster is which channels have members anywhere, as chat workers have written it down.
// It is read when somebody asks, and forgotten when nobody does. Safe for concurrent use.
type roster struct {
	inc    *incarnation
	budget int // bytes

	mu       sync.Mutex
	next     []int64 // where reading each partition goes on; nil: nothing is known
	read     time.Time
	asked    time.Time
	bytes    int
	channels map[string]*listed
	names    []string // of those with members, sorted
}

// listed is one channel.
type listed struct {
	last     int64
	sessions map[string]string // their users
	users    map[string]int    // sessions of each
}

func (a *ask) channels() {
	var p rpc.ChannelsParams
	limit := 0
	a.administer(&p, func() (bad *rpc.Error) {
		if p.After != "" {
			bad = params.CheckName("after", p.After)
		}
		if bad == nil {
			limit, bad = limitOf(p.Limit, 1, maxMembers, defaultMembers)
		}
		return bad
	}, func(ctx context.Context) (any, error) { return a.inc.roster.page(ctx, &p, limit) })
}

// page lists channels that have members.
func (r *roster) page(ctx context.Context, p *rpc.ChannelsParams, limit int) (rpc.ChannelsResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(ctx); err != nil {
		r.forget()
		return rpc.ChannelsResult{}, err
	}
	found := rpc.ChannelsResult{Channels: []rpc.ChannelInfo{}}
	at, there := slices.BinarySearch(r.names, max(p.After, p.Prefix))
	if there && p.After >= p.Prefix && p.After != "" {
		at++
	}
	for _, name := range r.names[at:] {
		if !strings.HasPrefix(name, p.Prefix) {
			break
		}
		if found.More = len(found.Channels) == limit; found.More {
			break
		}
		ch := r.channels[name]
		found.Channels = append(found.Channels, rpc.ChannelInfo{Channel: name, Count: len(ch.users), Last: ch.last})
	}
	return found, nil
}

// refresh reads what was written since the last time. The lock is held.
func (r *roster) refresh(ctx context.Context) error {
	now := time.Now()
	r.asked = now
	if r.next != nil && now.Sub(r.read) < rosterTime {
		return nil
	}
	if r.next == nil {
		r.next, r.channels = make([]int64, r.inc.log.Partitions), map[string]*listed{}
	}
	for partition := range r.next {
		if err := r.readOn(ctx, partition); err != nil {
			return err
		}
	}
	r.read = now
	r.names = r.names[:0]
	for name, ch := range r.channels {
		if len(ch.users) > 0 {
			r.names = append(r.names, name)
		}
	}
	slices.Sort(r.names)
	return nil
}

// readOn reads a partition of the state on to its end.
func (r *roster) readOn(ctx context.Context, partition int) error {
	next := &r.next[partition]
	for {
		first, end, err := r.inc.kafka.Offsets(ctx, schema.TopicState, partition)
		if err != nil {
			return err
		}
		*next = max(*next, first) // what was compacted is superseded
		if *next >= end {
			return nil
		}
		err = r.inc.kafka.ReadRange(ctx, schema.TopicState, partition, *next, end, 0, r.take)
		var compacted *eventlog.OffsetError
		switch {
		case errors.As(err, &compacted) && compacted.First > *next:
			continue
		case err != nil:
			return err
		}
		*next = end
		return nil
	}
}

// take takes a record of the state.
func (r *roster) take(rec eventlog.Record) error {
	key := string(rec.Key)
	if session, name, is := schema.StateMemberOf(key); is {
		return r.member(session, name, rec.Value)
	}
	name, is := schema.StateChannelOf(key)
	if !is {
		return nil
	}
	var state schema.StateChannel
	if rec.Value == nil {
		if ch := r.channels[name]; ch != nil {
			ch.last = 0
			r.drop(name, ch)
		}
		return nil
	}
	if proto.Unmarshal(rec.Value, &state) != nil {
		return nil // its worker says so
	}
	ch, err := r.channel(name)
	if err == nil {
		ch.last = state.Last
	}
	return err
}

// member takes a membership, or its end.
func (r *roster) member(session, name string, value []byte) error {
	ch := r.channels[name]
	if ch != nil {
		if user, there := ch.sessions[session]; there {
			delete(ch.sessions, session)
			r.bytes -= memberCost + len(session) + len(user)
			if ch.users[user]--; ch.users[user] == 0 {
				delete(ch.users, user)
			}
		}
	}
	var member schema.StateMember
	if value == nil || proto.Unmarshal(value, &member) != nil {
		if ch != nil {
			r.drop(name, ch)
		}
		return nil
	}
	ch, err := r.channel(name)
	if err != nil {
		return err
	}
	if ch.sessions == nil {
		ch.sessions, ch.users = map[string]string{}, map[string]int{}
	}
	ch.sessions[strings.Clone(session)] = member.User
	ch.users[member.User]++
	return r.add(memberCost + len(session) + len(member.User))
}

// channel is a channel, which is made where it is not known.
func (r *roster) channel(name string) (*listed, error) {
	ch := r.channels[name]
	if ch == nil {
		ch = &listed{}
		r.channels[strings.Clone(name)] = ch // without the key that it is a part of
		return ch, r.add(channelCost + len(name))
	}
	return ch, nil
}

func (r *roster) add(n int) error {
	if r.bytes += n; r.bytes > r.budget {
		return errRoster
	}
	return nil
}

// drop forgets a channel of which nothing is known any more.
func (r *roster) drop(name string, ch *listed) {
	if ch.last == 0 && len(ch.sessions) == 0 {
		delete(r.channels, name)
		r.bytes -= channelCost + len(name)
	}
}

func (r *roster) forget() { r.next, r.channels, r.names, r.bytes = nil, nil, nil, 0 }

// sweep forgets all where nobody has asked lately. It does not wait for who reads.
func (r *roster) sweep(now time.Time) {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	if r.next != nil && now.Sub(r.asked) > rosterIdle {
		r.forget()
	}
}
