package connector

import (
	"context"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// concurrentReads bounds the reads of history under way.
const concurrentReads = 32

// archive reads history: a *history.Reader, or a simulated one.
type archive interface {
	Read(ctx context.Context, q history.Query) (history.Page, error)
	ReadLog(ctx context.Context, q history.Query, from int64) (history.Page, error)
	FirstEpoch() bool
	Holds(ctx context.Context, channel string) (bool, error)
	Reactors(ctx context.Context, q history.Query, of history.Reactors) (rpc.ReactionsResult, error)
	Sanctions(ctx context.Context, q history.Query, after string) (rpc.SanctionsResult, error)
	Banned(ctx context.Context, q history.Query, user string) (*rpc.Sanction, error)
	Search(ctx context.Context, s history.Search) (history.Hits, error)
	First(ctx context.Context, act schema.Act, at int64) (history.Act, bool, error)
	End(ctx context.Context, channel string) (int64, error)
}

// reader answers what is asked of the past: from a channel's memory, else from
// history. Safe for concurrent use.
type reader struct {
	inc     *incarnation
	archive archive
	turns   chan struct{} // a slot for each read of history
	shares  *shares       // of these, by user

	noHistory, noOlder, noFirst, noEnd sample
}

func newReader(inc *incarnation, from archive) *reader {
	return &reader{
		inc: inc, archive: from, turns: make(chan struct{}, concurrentReads), shares: newShares(),
		noHistory: sample{message: "history cannot be read"}, noOlder: sample{message: "joins are answered without older history"},
		noFirst: sample{message: "retries are answered with 1007"}, noEnd: sample{message: "replies of backends are answered with 1007"},
	}
}
