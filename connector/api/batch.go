package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-chat/parley/schema/rpc"
)

// sideBySide is how many requests of a batch that wait are carried out at once.
const sideBySide = 8

// flushBytes is how much of an answer is gathered before it is sent.
const flushBytes = 64 << 10

// rpc serves JSON-RPC: one request, or a batch.
func (s *Server) rpc(r *request) {
	text, done, ok := s.body(r)
	if !ok {
		return
	}
	defer done()
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '[' {
		s.batch(r, text)
		return
	}
	if !drawn(r, 1) {
		return
	}
	asked, bad := rpc.Parse(text)
	var result []byte
	if bad == nil {
		var sent func()
		result, sent, bad = s.one(r.Context(), r.by, asked)
		defer sent()
	}
	switch {
	case asked.ID == nil:
		r.w.WriteHeader(http.StatusNoContent)
	case bad != nil:
		send(r.w, http.StatusOK, rpc.AppendError(nil, asked.ID, bad))
	default:
		send(r.w, http.StatusOK, rpc.AppendResponse(nil, asked.ID, func(b []byte) []byte { return append(b, result...) }))
	}
}

// split is the requests of a batch, as they were sent.
func split(text []byte) (all []jsontext.Value, bad *rpc.Error) {
	// What is wrong within a request is its own.
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	notJSON := &rpc.Error{Code: rpc.CodeParse, Message: "parse error: not JSON"}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, notJSON
		}
		if len(all) <= MaxBatch { // the rest is read, and not kept
			all = append(all, v.Clone())
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		return nil, notJSON
	}
	if len(all) == 0 || len(all) > MaxBatch {
		return nil, &rpc.Error{Code: rpc.CodeInvalidRequest, Message: "invalid request: a batch has 1 to 100 requests"}
	}
	return all, nil
}

// batch serves a batch. Requests about one channel are taken up in their order.
func (s *Server) batch(r *request, text []byte) {
	all, bad := split(text)
	if bad != nil {
		send(r.w, http.StatusOK, rpc.AppendError(nil, json.RawMessage("null"), bad))
		return
	}
	if !drawn(r, len(all)) {
		return
	}
	b := &batch{by: r.by, host: s.cfg.Host, w: r.w, turns: make(chan struct{}, sideBySide), last: map[string]chan struct{}{}}
	for _, v := range all {
		b.take(r.Context(), v)
	}
	b.finish(r.Context())
}

// batch gathers the answers to one.
type batch struct {
	by    *Caller
	host  Host
	turns chan struct{}            // a slot for each request that waits
	last  map[string]chan struct{} // by channel: closed when the last request that waits is answered
	work  sync.WaitGroup           // those that are not answered
	held  atomic.Int64             // bytes of answers that are not taken

	// sending is held while something is sent, which may take its time. Lock order:
	// sending, then mu.
	sending sync.Mutex
	w       http.ResponseWriter
	written bool // something was sent

	mu      sync.Mutex
	out     []byte // not sent yet
	counted int    // bytes of it that count
	begun   bool   // there was an answer
	over    bool   // nobody takes answers any more
}

// take takes a request up in its turn.
func (b *batch) take(ctx context.Context, text []byte) {
	r, bad := rpc.Parse(text)
	b.work.Add(1)
	answer := b.answerTo(r.ID)
	if bad != nil {
		answer(nil, bad)
		return
	}
	channel, replies := aboutOf(r)
	if r.Method == rpc.MethodBroadcast {
		for _, before := range b.last { // any of them may be about one of its channels
			awaitClosed(ctx, before)
		}
		clear(b.last)
	} else if before := b.last[channel]; before != nil {
		awaitClosed(ctx, before)
		delete(b.last, channel)
	}
	if ctx.Err() != nil { // what comes before it may be under way still
		answer(nil, rpc.Unavailable(1000))
		return
	}
	if Pipelined(r.Method) && !replies { // the log may have to be asked for what is replied to
		b.host.Begin(ctx, b.by, r, answer)
		return
	}
	done := make(chan struct{})
	b.last[channel] = done
	select {
	case b.turns <- struct{}{}:
	case <-ctx.Done():
		close(done)
		answer(nil, rpc.Unavailable(1000))
		return
	}
	go func() { // finish waits for its answer
		defer func() { <-b.turns }()
		defer close(done)
		b.host.Begin(ctx, b.by, r, answer)
		b.flush()
	}()
}

func awaitClosed(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// aboutOf is the channel that a request is about; "": none, or it cannot be read. And
// whether it replies to something there.
func aboutOf(r rpc.Request) (channel string, replies bool) {
	var p struct {
		Channel string          `json:"channel"`
		Reply   json.RawMessage `json:"reply"`
	}
	_ = rpc.Decode(r.Params, &p) // whoever carries it out sees what is wrong
	return p.Channel, p.Reply != nil
}

// answerTo gathers the answer to a request; nil: it is a notification.
func (b *batch) answerTo(id json.RawMessage) Answer {
	return func(write func([]byte) []byte, bad *rpc.Error) {
		defer b.work.Done()
		if id == nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.over {
			return
		}
		if b.begun {
			b.out = append(b.out, ',')
		} else {
			b.out = append(b.out, '[')
		}
		b.begun = true
		if bad == nil {
			bad = b.fit(id, write)
		}
		if bad != nil {
			b.out = rpc.AppendError(b.out, id, bad)
		}
	}
}

// fit appends a result, if there is room for it; else it returns the error to answer
// with. The lock mu is held.
func (b *batch) fit(id json.RawMessage, write func([]byte) []byte) *rpc.Error {
	before := len(b.out)
	b.out = rpc.AppendResponse(b.out, id, write)
	n := len(b.out) - before
	if !b.by.answers.Reserve(&b.held, n, math.MaxInt) {
		b.out = slices.Clone(b.out[:before])
		return rpc.Unavailable(1000)
	}
	b.counted += n
	return nil
}

// flush sends what was gathered, where that is much.
func (b *batch) flush() {
	b.sending.Lock()
	defer b.sending.Unlock()
	b.send(b.gathered(flushBytes))
}

// gathered takes what was gathered, if that is so much, and how much of it counts.
func (b *batch) gathered(least int) (out []byte, counted int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || len(b.out) < least {
		return nil, 0
	}
	out, counted = b.out, b.counted
	b.out, b.counted = nil, 0
	return out, counted
}

// send sends a part of the answer. The lock sending is held.
func (b *batch) send(out []byte, counted int) {
	defer b.by.answers.Release(&b.held, counted)
	if len(out) == 0 {
		return
	}
	if !b.written {
		b.w.Header().Set("Content-Type", "application/json")
		b.w.Header().Set("Cache-Control", "no-store")
	}
	b.written = true
	_, _ = b.w.Write(out) // whoever does not take it has gone
}

// finish waits for the answers, and sends what is left of them.
func (b *batch) finish(ctx context.Context) {
	all := make(chan struct{})
	go func() { // each answer comes, if only because the host ends
		b.work.Wait()
		close(all)
	}()
	awaitClosed(ctx, all)
	b.sending.Lock()
	defer b.sending.Unlock()
	out, counted := b.gathered(0)
	b.mu.Lock()
	b.over = true
	b.by.answers.Release(&b.held, b.counted) // of what came just now
	b.mu.Unlock()
	if !b.written && len(out) == 0 {
		b.w.WriteHeader(http.StatusNoContent)
		return
	}
	b.send(append(out, ']'), counted)
}
