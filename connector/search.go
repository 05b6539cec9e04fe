package connector

import (
	"context"
	"errors"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/words"
)

const (
	// searchTime bounds a search, waiting for its turn included.
	searchTime = 2 * time.Second
	// searchRetry is when a session that searches already may try again, in milliseconds.
	searchRetry = 250

	maxQuery      = 256 // bytes
	maxWords      = 16
	maxHits       = 100
	defaultHits   = 20
	maxSearchTime = 1<<53 - 1 // of from and to
)

// searchCall is a search that is checked. Its channels are those that are followed here.
type searchCall struct {
	*call
	search history.Search
	// alone is the one channel that is searched, joined or not; "": all that are joined.
	alone  string
	places map[string]stay
}

// stay is the session's in a channel when the search was taken up.
type stay struct {
	place    *place
	channel  *channel
	removals int
}

// searchParams distinguish what is empty from what is absent.
type searchParams struct {
	rpc.SearchParams
	Channel *string `json:"channel"`
	User    *string `json:"user"`
	Before  *string `json:"before"`
}

func (c *call) search(r rpc.Request) *rpc.Error {
	s := c.session
	var q searchParams
	if bad := rpc.Decode(r.Params, &q); bad != nil {
		return bad
	}
	n := &searchCall{call: c, alone: params.Text(q.Channel)}
	if bad := n.take(&q); bad != nil {
		return bad
	}
	s.mu.Lock()
	bad := n.gather()
	s.mu.Unlock()
	if bad != nil {
		return bad
	}
	if s.searching.Swap(true) {
		s.inc.metrics.limited.Add(1, "searches")
		return rpc.RateLimited(searchRetry)
	}
	if !c.reserve(waitBytes) {
		s.searching.Store(false)
		return rpc.HistoryUnavailable(retryAfter)
	}
	s.inc.spawn(n.run)
	return nil
}

// take checks what is asked for.
func (n *searchCall) take(q *searchParams) *rpc.Error {
	s := &n.search
	s.Words, s.User, s.Author, s.Everyone = words.Parse(q.Query), n.session.user, params.Text(q.User), n.session.audits()
	switch words := s.Words.Len(); {
	case len(q.Query) == 0 || len(q.Query) > maxQuery:
		return rpc.InvalidParams("query", "must be 1 to 256 bytes")
	case words == 0:
		return rpc.InvalidParams("query", "must have a letter or a digit")
	case words > maxWords:
		return rpc.InvalidParams("query", "must have 16 words at most")
	}
	var bad *rpc.Error
	if q.Channel != nil || n.session.backend != nil {
		bad = params.CheckName("channel", n.alone)
	}
	if bad == nil && q.User != nil {
		bad = params.CheckName("user", s.Author)
	}
	if bad == nil {
		bad = n.period(&q.SearchParams)
	}
	if bad == nil && q.Before != nil {
		var ok bool
		if s.Before, ok = parseCursor(*q.Before); !ok {
			bad = rpc.InvalidParams("before", "must be that of a result of search")
		}
	}
	if bad == nil {
		s.Limit, bad = limitOf(q.Limit, 1, maxHits, defaultHits)
	}
	return bad
}

// period takes the bounds in time.
func (n *searchCall) period(q *rpc.SearchParams) *rpc.Error {
	for _, at := range []struct {
		field string
		given *int64
		taken *int64
	}{{"from", q.From, &n.search.From}, {"to", q.To, &n.search.To}} {
		switch {
		case at.given == nil:
		case *at.given < 0 || *at.given > maxSearchTime:
			return rpc.InvalidParams(at.field, "must be a time in milliseconds since 1970")
		default:
			*at.taken = *at.given
		}
	}
	if q.To != nil && n.search.To <= n.search.From {
		return rpc.InvalidParams("to", "must be after from")
	}
	return nil
}

// gather takes the channels that the user may search now. session.mu is held.
func (n *searchCall) gather() *rpc.Error {
	s := n.session
	n.places = map[string]stay{}
	if n.alone != "" {
		if bad := n.mayRead(n.alone); bad != nil {
			return bad
		}
		n.search.Channels = []string{n.alone}
		if p := s.places[n.alone]; p != nil && n.isIn(p) {
			n.places[n.alone] = stay{p, p.channel, p.removals}
		}
		return nil
	}
	for _, p := range s.places.inOrder() {
		if n.isIn(p) && n.mayRead(p.name) == nil {
			n.places[p.name], n.search.Channels = stay{p, p.channel, p.removals}, append(n.search.Channels, p.name)
		}
	}
	return nil
}

// isIn reports whether the session is in the place's channel, as far as its client
// knows. session.mu is held.
func (n *searchCall) isIn(p *place) bool { return p.joined() && p.channel != nil && !p.expelled }

// mayRead refuses what the user may not read. session.mu is held.
func (n *searchCall) mayRead(channel string) *rpc.Error {
	if bad := n.session.allowedNow(grants.Join, channel); bad != nil {
		return bad
	}
	return n.session.allowedNow(grants.History, channel)
}

// run answers once there is room for the answer.
func (n *searchCall) run() {
	s, inc := n.session, n.session.inc
	if len(n.search.Channels) == 0 {
		n.over(history.Hits{}, nil)
		return
	}
	if !s.front.AwaitRoom(inc.ctx, inc.limits.Page) {
		n.over(history.Hits{}, rpc.HistoryUnavailable(retryAfter)) // nobody hears it
		return
	}
	defer s.front.FreeRoom(inc.limits.Page)
	ctx, cancel := context.WithTimeout(n.within(inc.ctx), min(searchTime, inc.cfg.HistoryTime))
	defer cancel()
	began := time.Now()
	found, err := inc.past.search(ctx, n)
	inc.metrics.searched(time.Since(began), err)
	var bad *rpc.Error
	switch {
	case err == nil, errors.As(err, &bad):
	case errors.Is(err, history.ErrEpoch):
		bad = rpc.InvalidParams("before", "must be that of a result of search")
	default:
		inc.past.noHistory.warn(ctx, inc.logger, err)
		bad = rpc.HistoryUnavailable(retryAfter)
	}
	n.over(found, bad)
}

// over answers. The session may search again from then on: its next request may come
// the moment it has the answer.
func (n *searchCall) over(found history.Hits, bad *rpc.Error) {
	n.session.searching.Store(false)
	if bad != nil {
		n.fail(bad)
		return
	}
	n.send(found)
}

// search searches when it is the user's turn. An *rpc.Error is the answer itself.
func (x *reader) search(ctx context.Context, n *searchCall) (found history.Hits, err error) {
	done, err := x.shares.await(ctx, n.session.reads())
	if err != nil {
		return found, err
	}
	defer done()
	channels, release, err := x.follow(ctx, n)
	if err != nil {
		return found, err
	}
	defer release()
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
	case <-ctx.Done():
		return found, ctx.Err()
	}
	n.search.Bytes = messageBytes(n.session.limits())
	n.search.Of = func(name string) (history.Query, bool) {
		ch := channels[name]
		if ch == nil {
			return history.Query{}, false
		}
		ch.Lock()
		end := ch.Position() + 1
		ch.Unlock()
		return x.query(ch, n.session.user, end, n.search.Bytes), true
	}
	if n.alone != "" && n.places[n.alone].place == nil {
		q, _ := n.search.Of(n.alone)
		if ban, err := x.archive.Banned(ctx, q, n.session.user); err != nil || ban != nil {
			if ban != nil {
				err = rpc.Sanctioned(rpc.SanctionBan, ban.Until, ban.Reason)
			}
			return found, err
		}
	}
	found, err = x.archive.Search(ctx, n.search)
	var newer *schema.NewerError
	if errors.As(err, &newer) {
		x.inc.fail(err)
	}
	return found, err
}

// follow returns the channels that are searched, each of them exact.
func (x *reader) follow(ctx context.Context, n *searchCall) (channels map[string]*channel, release func(), err error) {
	channels, release = map[string]*channel{}, func() {}
	for name, at := range n.places {
		channels[name] = at.channel
	}
	if n.alone != "" && channels[n.alone] == nil {
		channels[n.alone], release, err = x.inc.watchChannel(ctx, n.alone)
	}
	return channels, release, err
}

// send answers with what the user may read still.
func (n *searchCall) send(found history.Hits) {
	s := n.session
	s.mu.Lock()
	lost := n.lost()
	s.mu.Unlock()
	if n.alone != "" && len(lost) > 0 {
		n.fail(lost[n.alone])
		return
	}
	r := rpc.SearchResult{More: found.More}
	if found.More {
		r.Before = cursorOf(found.Next)
	}
	var messages [][]byte
	used, bytes := 0, messageBytes(s.limits())
	for i := range found.Hits {
		h := &found.Hits[i]
		if lost[h.Channel] != nil {
			continue
		}
		message := rpc.AppendFound(nil, &rpc.Found{Message: h.Message, Epoch: h.Epoch, Highlight: h.At})
		if used += len(message) + 1; used > bytes && i > 0 {
			r.More, r.Before = true, cursorOf(found.Hits[i-1].Place())
			break
		}
		messages = append(messages, message)
	}
	n.reply(func(b []byte) []byte { return rpc.AppendSearchResult(b, &r, messages) })
}

// lost says why the user may not read channels any more that were searched.
// session.mu is held.
func (n *searchCall) lost() map[string]*rpc.Error {
	lost := map[string]*rpc.Error{}
	for _, name := range n.search.Channels {
		if bad := n.mayRead(name); bad != nil {
			lost[name] = bad
		} else if at := n.places[name]; at.place != nil && (at.place.removals != at.removals || n.alone == "" && !n.isIn(at.place)) {
			lost[name] = rpc.NotJoined()
		}
	}
	return lost
}
