package chatworker

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// While the log takes no pushes a worker keeps what it may, of the largest as of
// the smallest, and all of it is given back.
//
//parley:bound pushes that are not acknowledged
func TestOutboxKeepsWhatItMay(t *testing.T) {
	for name, body := range map[string]int{"the largest": fold.MaxPush - 200, "of the largest messages": schema.MaxBody, "the smallest": 1} {
		t.Run(name, func(t *testing.T) {
			broker, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(broker.Close)
			r := newRigAt(t, broker.ListenAddrs()[0])
			w := r.openWorker(func(*Worker) {})
			full := broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
			push := fold.Out{PushPartition: int32(pushPartition("a")), Push: &schema.Push{Connector: "a", Offset: 1, Updates: []*schema.Update{{
				Channel: "c", Kind: &schema.Update_Message{Message: &schema.Message{User: "ann", Id: "1", Body: strings.Repeat("x", body)}},
			}}}}
			ended, cancel := context.WithCancel(context.Background())
			cancel() // so that what has no room is not waited for
			o := newOutbox(w)
			event := untraced(w)
			before, sent := inuse.SettledHeap(), 0
			for ; err == nil; sent++ {
				err = o.send(ended, push, event)
			}
			held, heap := w.queued.Load(), int64(inuse.SettledHeap()-before)
			t.Logf("%d pushes, %d bytes, the heap grew by %d: %v", sent, held, heap, err)
			if ended.Err() == nil || held > pushBudget || held < pushBudget*9/10 {
				t.Errorf("%d bytes of pushes are kept, %v", held, err)
			}
			if most := int64(pushBudget * 3 / 2); heap > most {
				t.Errorf("%d pushes take %d bytes of memory, at most %d are reckoned with", sent, heap, most)
			}
			full.Remove()
			<-o.seal()
			await.That(t, "the room is given back", func() bool { return w.budget.TryAcquire(pushBudget) })
		})
	}
}
