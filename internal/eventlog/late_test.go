package eventlog

import (
	"context"
	"testing"

	"github.com/parley-chat/parley/internal/testing/latetest"
)

// A commit that failed for its member, and reaches the broker after a newer one, changes
// nothing. The member is another one by then.
func TestLateCommitChangesNothing(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 1, nil)
	wire := new(latetest.Wire)
	c, err := New(Config{Brokers: cl.addrs, ClientID: "test", Logger: testLogger(t), Dial: wire.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx := testContext(t)
	wire.Hold(0)
	old, committed := "", make(chan Assignment, 1)
	join(t, c, testGroup(topic), func(ctx context.Context, a Assignment) error {
		switch old {
		case "":
			old = a.generation.MemberID
			if err := a.CommitNoting(ctx, 10, "old"); err == nil {
				t.Error("a commit succeeded whose connection was cut")
			}
			if err := a.CommitNoting(context.WithoutCancel(ctx), 11, "newer"); err == nil {
				t.Error("a commit succeeded while an older one of the same member is under way")
			}
		case a.generation.MemberID:
			t.Error("it is the same member")
		default:
			if err := a.CommitNoting(ctx, 20, "new"); err == nil {
				committed <- a
			}
		}
		<-ctx.Done() // which ends by itself after the first commit
		return ctx.Err()
	})
	var a Assignment
	select {
	case a = <-committed:
	case <-ctx.Done():
		t.Fatal("the member did not join again")
	}
	refused, err := wire.Deliver(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if refused == nil {
		t.Error("the broker took the late commit")
	}
	if offset, note, err := a.Noted(ctx); offset != 20 || note != "new" || err != nil {
		t.Errorf("the group has offset %d with note %q (%v), want 20 with \"new\"", offset, note, err)
	}
}
