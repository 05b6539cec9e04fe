package eventlog

import "testing"

// Whoever appends is told which acknowledgements may be those of a second copy.
func TestAppendTellsOfRecordsSentTwice(t *testing.T) {
	c, w := startFake(t).wiredClient(t)
	p := newProducer(t, c, ProducerConfig{Topic: newTopic(t, c, 1, nil)})
	appendOne := func() Ack {
		t.Helper()
		done := make(chan Ack, 1)
		if err := p.Append(0, Record{}, func(a Ack) { done <- a }); err != nil {
			t.Fatal(err)
		}
		return <-done
	}
	if a := appendOne(); a != (Ack{}) {
		t.Errorf("a record that was sent once: %+v", a)
	}
	w.loseResponses(1)
	if a := appendOne(); a != (Ack{Offset: 1, Twice: true}) {
		t.Errorf("a record whose answer was lost: %+v", a)
	}
	if a := appendOne(); a != (Ack{Offset: 2}) {
		t.Errorf("the next record: %+v", a)
	}
}
