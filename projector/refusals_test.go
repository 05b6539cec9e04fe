package projector

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*system)
		says    string
	}{
		{"a newer kind of event", func(s *system) { s.append(1, []byte{0x82, 3, 0}) }, "start a newer parley"},
		{"a newer format", func(s *system) {
			value, _ := proto.Marshal(&schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 99}}})
			s.append(1, value)
		}, "start a newer parley"},
		{"another epoch", func(s *system) { s.register("another", s.log.TopicID, s.log.Partitions) }, "another"},
		{"another topic", func(s *system) { s.register(s.log.Epoch, [16]byte{1}, s.log.Partitions) }, "created again"},
		{"another number of partitions", func(s *system) { s.register(s.log.Epoch, s.log.TopicID, 5) }, "channels would move"},
		{"a log that lost its end", func(s *system) { s.mark(watermark{seq: 9, format: 1}) }, "lost its end"},
		{"a log that grew again", func(s *system) { s.mark(watermark{seq: 0, digest: 7, format: 1}) }, "a different record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem(t)
			c.prepare(s)
			err := s.fails()
			var refused *epoch.Refused
			var newer *schema.NewerError
			if !errors.As(err, &refused) && !errors.As(err, &newer) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q, want a refusal with %q", err, c.says)
			}
		})
	}
}

// A topic that is deleted and made again while a projector runs ends it.
func TestTopicMadeAgain(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	failed := make(chan error, 1)
	go func() { failed <- s.fails() }()
	s.await(st, 0, s.publish(0, chats("lobby", 0, 30)...)[29])
	s.remake()
	err := <-failed
	var refused *epoch.Refused
	if !errors.As(err, &refused) {
		t.Errorf("error %v, want a refusal", err)
	}
	if w, err := st.watermark(s.ctx, 0); err != nil || w.seq != 30 {
		t.Errorf("the watermark is %d, error %v, want 30", w.seq, err)
	}
}

// remake deletes the topic of the events and makes a longer one of that name.
func (s *system) remake() {
	s.t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(s.addr), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	res, err := client.DeleteTopics(s.ctx, &kafka.DeleteTopicsRequest{Topics: []string{schema.TopicEvents}})
	if err != nil || res.Errors[schema.TopicEvents] != nil {
		s.t.Fatal(err, res)
	}
	s.producer.Close()
	s.producer = s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	s.markWith(schema.Window)
	s.publish(0, chats("lobby", 100, 60)...)
}

func (s *system) register(name string, topic [16]byte, partitions int) {
	s.t.Helper()
	st := s.store()
	if err := st.db.AddEpoch(s.ctx, clickhouse.Epoch{Name: name, TopicID: fmt.Sprintf("%x", topic), Partitions: partitions}); err != nil {
		s.t.Fatal(err)
	}
}

// mark writes a watermark of partition 0.
func (s *system) mark(w watermark) {
	s.t.Helper()
	b := newBlock()
	b.add(0, batch{upTo: w})
	if err := s.store().write(s.ctx, b); err != nil {
		s.t.Fatal(err)
	}
}
