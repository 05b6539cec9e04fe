package connector

import (
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// A request that comes when the join before it has just been given up is
// answered: nobody will come to it when the join passes.
func TestRequestBehindAJoinThatWasGivenUp(t *testing.T) {
	p := &place{session: &session{}, ops: []*operation{{join: true}}}
	var f followed
	p.afterJoin(&f)
	if f.answers != 0 || f.refusals != 1 {
		t.Errorf("%d answers, %d refusals", f.answers, f.refusals)
	}
}

type followed struct{ answers, refusals int }

func (f *followed) passed(*channel) bool { return false }

func (f *followed) refused(*rpc.Error) { f.refusals++ }

func (*followed) abandon() {}

func (f *followed) answer(*channel) { f.answers++ }
