package eventlog

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A leader that became a follower answers fetches as before, though later than
// the leader. A reader leaves it all the same.
func TestReaderLeavesAFollower(t *testing.T) {
	cl := startFake(t, kfake.NumBrokers(3))
	c := cl.client(t)
	c.transport.MetadataTTL = 50 * time.Millisecond
	topic, p := filled(t, c, 1)
	before := cl.fake.LeaderFor(topic, 0)
	after := (before + 1) % 3
	var mu sync.Mutex
	asked := map[int32]int{}
	cl.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		asked[cl.fake.CurrentNode()]++
		return nil, nil, false
	})
	fetches := func(of int32) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[of]
	}
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic, MaxWait: 20 * time.Millisecond})
	readAll(t, r, 1)
	cl.fake.SetFollowers(topic, 0, []int32{before})
	if err := cl.fake.MoveTopicPartition(topic, 0, after); err != nil {
		t.Fatal(err)
	}
	for i, ctx := 1, testContext(t); fetches(after) == 0; i++ {
		if ctx.Err() != nil {
			t.Fatalf("the new leader was never asked, the old one %d times", fetches(before))
		}
		produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)})
		if rec := readAll(t, r, 1)[0]; string(rec.Value) != fmt.Sprint(i) {
			t.Fatalf("read %s, want %d", rec.Value, i)
		}
	}
}

// The cluster names wrong addresses, as one does whose brokers have just taken
// those of each other. Nothing insists on them: what the other broker refuses
// goes to the right one as soon as its address is known.
func TestAddressesOfOtherBrokers(t *testing.T) {
	cl := startFake(t, kfake.NumBrokers(2))
	known := cl.client(t)
	topic, _ := filled(t, known, 1)
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(8) // of whose responses kafka-go knows the format
	answer, err := known.Ask(testContext(t), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong := answer.(*kmsg.MetadataResponse)
	a, b := &wrong.Brokers[0], &wrong.Brokers[1]
	a.Host, a.Port, b.Host, b.Port = b.Host, b.Port, a.Host, a.Port
	leader := cl.fake.LeaderFor(topic, 0)
	var isWrong atomic.Bool
	isWrong.Store(true)
	var refused atomic.Int64
	cl.fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		if !isWrong.Load() {
			return nil, nil, false
		}
		answer := *wrong
		answer.Version = req.GetVersion()
		answer.Brokers = slices.Clone(wrong.Brokers)
		return &answer, nil, true
	})
	cl.fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		if cl.fake.CurrentNode() != leader && refused.Add(1) == 2 {
			isWrong.Store(false)
		}
		return nil, nil, false
	})
	c := cl.client(t)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	if at := produceOne(t, p, 0, Record{Value: []byte("1")}); at != 1 || refused.Load() < 2 {
		t.Errorf("acknowledged at %d after %d refusals", at, refused.Load())
	}
	readAll(t, newReader(t, c, ReaderConfig{Own: true, Topic: topic}), 2)
}

// Whenever a reader is closed, its connection is, too, and Next returns.
func TestCloseWhileConnecting(t *testing.T) {
	cl := startCluster(t)
	for i := range 20 {
		c, w := cl.wiredClient(t)
		topic, _ := filled(t, c, 1)
		r := c.NewReader(ReaderConfig{Own: true, Topic: topic})
		ctx, read := testContext(t), make(chan error)
		go func() {
			for {
				if _, err := r.Next(ctx); err != nil {
					read <- err
					return
				}
			}
		}()
		time.Sleep(time.Duration(i) * time.Millisecond) // before, while and after it connects
		w.cut()
		r.Close()
		if err := <-read; err != ErrClosed {
			t.Fatal(err)
		}
		if r.own.current() != nil {
			t.Fatal("its connection is still open")
		}
	}
}
