package history

import (
	"context"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// Banned returns the ban that a user is under now in a channel, as of q.End; nil: none.
// Of q it uses what Sanctions does. Its errors are those of Read.
func (r *Reader) Banned(ctx context.Context, q Query, user string) (*rpc.Sanction, error) {
	q.Limit, q.Bytes = 1, 0
	// The last string before the user that no name follows: none has this byte.
	last := len(user) - 1
	found, err := r.Sanctions(ctx, q, user[:last]+string([]byte{user[last] - 1, 0xff}))
	if err != nil {
		return nil, err
	}
	for i := range found.Sanctions {
		s := &found.Sanctions[i]
		if s.User == user && s.Action == rpc.SanctionBan && (s.Until == 0 || s.Until > time.Now().UnixMilli()) {
			return s, nil
		}
	}
	return nil, nil
}
