package format_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

const older, newer = 1, 2

// newOlderSystem is a log that an older parley began.
func newOlderSystem(t *testing.T) *system {
	s := newBareSystem(t)
	if err := admin.EnsureTopics(s.ctx, s.kafka, epoch.Topics(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	for p := range partitions {
		s.event(p, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "old", Format: older, Window: 10}}})
	}
	s.open()
	return s
}

func (s *system) event(partition int, e *schema.Event) {
	s.Helper()
	e.Time = time.Now().UnixMilli()
	s.put(schema.TopicEvents, partition, "", e)
}

func (s *system) raise() (format.Raised, error) { return format.Raise(s.ctx, s.kafka, newer) }

// raises counts the format events of each partition.
func (s *system) raises() (counts [partitions]int) {
	s.Helper()
	for p := range partitions {
		_, end, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, p)
		if err != nil {
			s.Fatal(err)
		}
		err = s.kafka.ReadRange(s.ctx, schema.TopicEvents, p, 0, end, 0, func(r eventlog.Record) error {
			e, err := schema.DecodeEvent(r.Value)
			if e.GetFormat().GetNumber() == newer {
				counts[p]++
			}
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	return counts
}

// rule is what parley.rules says of the log's format.
func (s *system) rule() int32 {
	s.Helper()
	n, err := format.Published(s.ctx, s.kafka, "old")
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// isRaised fails the test unless every partition was raised once, and everybody
// can know it.
func (s *system) isRaised() {
	s.Helper()
	if got, rule := s.raises(), s.rule(); got != [partitions]int{1, 1, 1} || rule != newer {
		s.Errorf("the partitions have %v format events, and the rule says %d", got, rule)
	}
	if now := s.look(); now.Format != newer || now.Raising != 0 || now.Unpublished {
		s.Errorf("it looks like %+v", now)
	}
	if done, err := s.raise(); err != nil || !done.Already || done.Published || done.Partitions != 0 {
		s.Errorf("once more: %+v, %v", done, err)
	}
}

func TestRaise(t *testing.T) {
	s := newOlderSystem(t)
	if now := s.look(); now.Format != older || now.Unpublished {
		t.Errorf("before, it looks like %+v", now)
	}
	if done, err := s.raise(); err != nil || done.Partitions != partitions || !done.Published || done.Already {
		t.Errorf("%+v, %v", done, err)
	}
	s.isRaised()
	l, err := rules.Load(s.ctx, s.kafka)
	if err != nil || l.Table.Format("another") != 0 || l.Corrupt > 0 {
		t.Errorf("another epoch's log is in format %d, %d rules are corrupt, %v", l.Table.Format("another"), l.Corrupt, err)
	}
}

// Nothing is raised, and no rule is written, while a role is older;
// who it is and what to do is said in one sentence.
func TestRaiseIsRefusedWhileARoleIsOlder(t *testing.T) {
	s := newOlderSystem(t)
	s.control(schema.ControlKeyBeat("new"), &schema.Beat{Format: newer, Address: "host:1"})
	s.control(schema.ControlKeyBeat("old"), &schema.Beat{Format: older, Address: "host:2"})
	_, err := s.raise()
	want := "the log cannot be raised to format 2: roles run that do not know it: connector old at host:2 (format 1); replace them by newer ones"
	if !errors.Is(err, format.ErrOlderRoles) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "host:1") {
		t.Errorf("%v", err)
	}
	if got, rule := s.raises(), s.rule(); got != [partitions]int{} || rule != 0 {
		t.Errorf("the partitions have %v format events, and the rule says %d", got, rule)
	}
	s.control(schema.ControlKeyBeat("old"), nil)
	if _, err := s.raise(); err != nil {
		t.Fatal(err)
	}
	s.isRaised()
}

// Whatever of a raise was done before it was interrupted, another call completes
// it, and the rule is written when every partition has its event, not before.
func TestRaiseThatWasInterrupted(t *testing.T) {
	for name, c := range map[string]struct {
		partitions int  // that have their event
		rule, done bool // in parley.rules, and in parley.control
	}{
		"before the first event":  {0, false, false},
		"between two events":      {2, false, false},
		"before the rule":         {partitions, false, false},
		"before it was recorded":  {partitions, true, false},
		"before there were rules": {partitions, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newOlderSystem(t)
			s.control(schema.ControlKeyFormat, &schema.LogFormat{Number: newer, From: make([]int64, partitions), Done: c.done})
			for p := range c.partitions {
				s.event(p, &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: newer}}})
			}
			if c.rule {
				s.put(schema.TopicRules, 0, schema.RulesKeyFormat, &schema.RulesFormat{Number: newer, Epoch: "old"})
			}
			if now := s.look(); now.Unpublished != c.done || (now.Raising != 0) == c.done {
				t.Errorf("before, it looks like %+v", now)
			}
			if done, err := s.raise(); err != nil || !done.Published || done.Partitions != partitions-c.partitions {
				t.Errorf("%+v, %v", done, err)
			}
			s.isRaised()
		})
	}
}

// A log that is older than parley.rules can be raised, and one that lost it.
func TestRaiseWithoutRules(t *testing.T) {
	s := newOlderSystem(t)
	for _, when := range []string{"before the raise", "after it"} {
		if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicRules); err != nil {
			t.Fatal(err)
		}
		if now := s.look(); now.Unpublished != (when == "after it") {
			t.Errorf("the topic was deleted %s, and it looks like %+v", when, now)
		}
		if done, err := s.raise(); err != nil || !done.Published {
			t.Fatalf("the topic was deleted %s: %+v, %v", when, done, err)
		}
		s.isRaised()
	}
}

// Where parley.control was lost, the log's events say how far a raise came:
// the rule is written when it is complete.
func TestRecall(t *testing.T) {
	s := newOlderSystem(t)
	for p := range partitions {
		s.event(p, &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: newer}}})
		if err := format.Recall(s.ctx, s.kafka, epoch.Log{Epoch: "old", Partitions: partitions, Format: older}); err != nil {
			t.Fatal(err)
		}
		want := int32(0)
		if p == partitions-1 {
			want = newer
		}
		if got := s.rule(); got != want {
			t.Errorf("%d partitions are raised, and the rule says %d", p+1, got)
		}
	}
	s.isRaised()
}

func (s *system) put(topic string, partition int, key string, m proto.Message) {
	s.Helper()
	var value []byte
	if m != nil {
		var err error
		if value, err = proto.Marshal(m); err != nil {
			s.Fatal(err)
		}
	}
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: topic})
	defer p.Close()
	if _, err := p.ProduceSync(s.ctx, partition, eventlog.Record{Key: []byte(key), Value: value}); err != nil {
		s.Fatal(err)
	}
}
