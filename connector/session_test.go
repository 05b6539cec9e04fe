package connector

import "testing"

// A request that comes when the join before it has just been given up is
// answered: nobody will come to it when the join passes.
func TestRequestBehindAJoinThatWasGivenUp(t *testing.T) {
	p := &place{session: &session{}, ops: []*operation{{join: true}}}
	var f followed
	p.afterJoin(&f)
	if f.answers != 1 || f.ch != nil {
		t.Errorf("%d answers, of channel %v", f.answers, f.ch)
	}
}

type followed struct {
	answers int
	ch      *channel
}

func (f *followed) passed(*channel) {}

func (*followed) abandon() {}

func (f *followed) answer(ch *channel) { f.answers, f.ch = f.answers+1, ch }
