package eventlog

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRefusalAfterALostAnswer: a batch was appended, its answer was lost, and
// the repeat is refused. What the producer writes next must be in the log, at
// the offset that it is acknowledged at.
func TestRefusalAfterALostAnswer(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.MessageTooLarge, kerr.InvalidRecord} {
		for name, cfg := range map[string]ProducerConfig{"plain": {}, "transactional": {TransactionalID: "owner"}} {
			t.Run(name+"/"+code.Message, func(t *testing.T) {
				cl := startFake(t)
				c, w := cl.wiredClient(t)
				cfg.Topic = newTopic(t, c, 1, nil)
				p := newProducer(t, c, cfg)
				produceOne(t, p, 0, Record{Value: []byte("first")})
				var requests atomic.Int64
				cl.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
					cl.fake.KeepControl()
					if requests.Add(1) != 2 {
						return nil, nil, false
					}
					return refuse(req.(*kmsg.ProduceRequest), code), nil, true
				})
				w.loseResponses(1)
				done := make(chan error, 1)
				if err := p.Produce(0, Record{Value: []byte("unsure")}, func(_ int64, err error) { done <- err }); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err == nil {
					t.Fatal("the refused record was acknowledged")
				}
				for i := range 3 {
					if offset := produceOne(t, p, 0, Record{Value: fmt.Appendf(nil, "next %d", i)}); offset != int64(2+i) {
						t.Fatalf("record %d after the refusal was acknowledged at %d, want %d", i, offset, 2+i)
					}
				}
				want := []string{"first", "unsure", "next 0", "next 1", "next 2"}
				for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: cfg.Topic}), len(want)) {
					if string(rec.Value) != want[i] {
						t.Errorf("offset %d holds %q, want %q", i, rec.Value, want[i])
					}
				}
			})
		}
	}
}

// refuse answers a request for one partition with an error.
func refuse(req *kmsg.ProduceRequest, code *kerr.Error) kmsg.Response {
	res := acknowledge(req, -1).(*kmsg.ProduceResponse)
	res.Topics[0].Partitions[0].ErrorCode = code.Code
	return res
}

// TestRefusalsUnderTwoIdentities: a request may carry batches of an older
// identity, too. None that a refusal has cost is used again.
func TestRefusalsUnderTwoIdentities(t *testing.T) {
	c := startFake(t).client(t)
	p := newProducer(t, c, ProducerConfig{Topic: newTopic(t, c, 2, nil)})
	s := &sender{p: p}
	refuseUnder := func(sessions ...*session) *session {
		s.flights = nil
		for id, session := range sessions {
			b := &batch{session: session}
			b.reset()
			b.session = session
			s.flights = append(s.flights, flight{part: &partition{id: id, batches: []*batch{b}}, b: b, outcome: refused, err: ErrFenced})
		}
		s.settle()
		current, err := p.identity.get(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		return current
	}
	first := refuseUnder()
	second := refuseUnder(first)
	if third := refuseUnder(second, first); third == first || third == second {
		t.Error("an identity that a refusal has cost is used again")
	}
}
