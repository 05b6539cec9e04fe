package format_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const partitions = 3

// system is a log of 3 partitions in the newest format.
type system struct {
	*testing.T
	ctx   context.Context
	kafka *eventlog.Client
}

func newSystem(t *testing.T) *system {
	s := newBareSystem(t)
	s.open()
	return s
}

// newBareSystem is a broker without a log.
func newBareSystem(t *testing.T) *system {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	return &system{t, ctx, kafka}
}

func (s *system) open() {
	s.Helper()
	if _, err := epoch.Open(s.ctx, s.kafka, epoch.Options{Partitions: partitions}); err != nil {
		s.Fatal(err)
	}
}

func (s *system) control(key string, m proto.Message) {
	s.Helper()
	s.put(schema.TopicControl, 0, key, m)
}

func (s *system) look() format.Status {
	s.Helper()
	status, err := format.Inspect(s.ctx, s.kafka)
	if err != nil {
		s.Fatal(err)
	}
	return status
}

// A connector reports what it knows by its beats, a worker and a projector as
// members of their groups, whatever these are called.
func TestRolesTellWhatTheyKnow(t *testing.T) {
	s := newSystem(t)
	s.control(schema.ControlKeyBeat("here"), &schema.Beat{Format: 1, Address: "host:1", Version: "v1.2"})
	s.control(schema.ControlKeyBeat("old"), &schema.Beat{Address: "host:2"})
	s.control(schema.ControlKeyBeat("drained"), &schema.Beat{Format: 1, Leaving: true})
	own, err := roles.UserData(roles.Projector, "host/7")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []eventlog.GroupConfig{
		{Group: "our-projectors", UserData: own},
		{Group: roles.ChatworkerGroup}, // of a version that reports nothing
		{Group: "somebody-elses"},
	} {
		g.Topics = []string{schema.TopicEvents}
		ctx, leave := context.WithCancel(s.ctx)
		left := make(chan error, 1)
		joined := make(chan struct{}, 3)
		go func() {
			left <- s.kafka.RunGroup(ctx, g, func(ctx context.Context, _ eventlog.Assignment) error {
				joined <- struct{}{}
				<-ctx.Done()
				return nil
			})
		}()
		t.Cleanup(func() {
			leave()
			if err := <-left; err != nil {
				t.Error(err)
			}
		})
		<-joined
	}
	var said []string
	for _, r := range s.look().Roles {
		said = append(said, strings.Join([]string{r.Kind, r.Name, r.Group, r.Version}, " "))
	}
	want := []string{"chatworker  parley-chatworker ", "connector here  v1.2", "connector old  ", "projector host/7 our-projectors " + roles.Version()}
	if strings.Join(said, "|") != strings.Join(want, "|") {
		t.Errorf("there are %q, want %q", said, want)
	}
}

func TestRefusals(t *testing.T) {
	s := newSystem(t)
	_, err := format.Raise(s.ctx, s.kafka, schema.NewestFormat+1)
	if err == nil || !strings.Contains(err.Error(), "is not known to this parley") {
		t.Errorf("a format beyond what is known: %v", err)
	}
	if done, err := format.Raise(s.ctx, s.kafka, schema.NewestFormat); err != nil || !done.Already {
		t.Errorf("the format in force: %+v, %v", done, err)
	}
}

// Where a newer parley raised the log, or began to, nothing of this version
// starts on it.
func TestALogThatIsNewer(t *testing.T) {
	for name, done := range map[string]bool{"raised": true, "being raised": false} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			s.control(schema.ControlKeyFormat, &schema.LogFormat{Number: schema.NewestFormat + 1, Done: done})
			_, err := epoch.Open(s.ctx, s.kafka, epoch.Options{})
			var newer *schema.NewerError
			if !errors.As(err, &newer) || !strings.Contains(err.Error(), "start a newer parley") {
				t.Errorf("%v, want a *schema.NewerError", err)
			}
			status := s.look()
			if done != (status.Format == schema.NewestFormat+1) || done != (status.Raising == 0) {
				t.Errorf("it looks like %+v", status)
			}
			if _, err := format.Raise(s.ctx, s.kafka, schema.NewestFormat); err == nil {
				t.Error("a format below the one in force, or being raised to, is accepted")
			}
		})
	}
}

// A log that is kept while parley.control is lost is not taken for an older one.
func TestRecallOfANewerLog(t *testing.T) {
	s := newSystem(t)
	value, err := proto.Marshal(&schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: schema.NewestFormat + 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer p.Close()
	if _, err := p.ProduceSync(s.ctx, 1, eventlog.Record{Value: value}); err != nil {
		t.Fatal(err)
	}
	var newer *schema.NewerError
	if err := format.Recall(s.ctx, s.kafka, epoch.Log{Partitions: partitions, Format: schema.NewestFormat}); !errors.As(err, &newer) {
		t.Errorf("%v, want a *schema.NewerError", err)
	}
}
