package connector

import (
	"testing"

	"github.com/parley-chat/parley/schema"
)

func TestPushChain(t *testing.T) {
	push := func(offset int64, index int32, prevOffset int64, prevIndex int32) *schema.Push {
		return &schema.Push{Partition: 1, Offset: offset, Index: index, PrevOffset: prevOffset, PrevIndex: prevIndex}
	}
	w := pushChain{}
	for i, c := range []struct {
		push  *schema.Push
		fresh bool
		lost  bool
	}{
		{push(5, 0, 0, 0), true, false},
		{push(5, 0, 0, 0), false, false},  // a repeat
		{push(5, 1, 5, 0), true, false},   // the second push of one event
		{push(4, 0, 3, 9), false, false},  // a replay whose predecessor is unknown here
		{push(9, 0, 7, 0), false, true},   // 7/0 never came
		{push(9, 0, 5, 1), true, false},   // nothing was taken from the one before
		{push(10, 2, 10, 1), false, true}, // index 0 and 1 never came
	} {
		fresh, err := w.accept(c.push)
		if fresh != c.fresh || (err != nil) != c.lost {
			t.Errorf("push %d: fresh %v, error %v; want %v, %v", i, fresh, err, c.fresh, c.lost)
		}
	}
}
