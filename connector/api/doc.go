// Package api is the server API: HTTP for backends, with keys of their own. It decides
// who asks, how much they may ask for, and in which order requests are taken up; what a
// request does is its Host's.
package api

import (
	"context"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema/rpc"
)

// Caller is a backend that asks. Immutable.
type Caller struct {
	// Key is the name that its acts carry.
	Key string
	// May is what it may do.
	May *grants.Matcher
	// Draw takes n requests of those that it may ask for in a second; else it returns
	// the time until there are so many.
	Draw func(n int) (retry time.Duration, ok bool)
	// Turns has a slot for each of its requests that may wait at once, so that it leaves
	// room to others; nil: any number.
	Turns chan struct{}

	bodies, answers *quota.Pool // its share of the server's
	work            *work
}

// Answer takes the answer to a request: what appends the result, or an error. It is
// called once, and does not wait.
type Answer func(write func([]byte) []byte, bad *rpc.Error)

// Host carries out what backends ask for. Its methods may be called concurrently.
type Host interface {
	// Ready reports whether requests are taken up now.
	Ready() bool
	// Begin begins a request. When it returns, what the request publishes comes before
	// what later requests publish; it waits for the answer unless the method is one
	// that Pipelined names, though one of these that replies may wait until the log tells
	// its end. The answer may come from any goroutine, also after ctx has ended.
	Begin(ctx context.Context, by *Caller, r rpc.Request, answer Answer)
}

// Pipelined reports whether a request of that method has its place in the log before it
// is answered, so that the next one need not wait.
func Pipelined(method string) bool {
	return method == rpc.MethodPublish || method == rpc.MethodBroadcast
}
