package topics_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/topics"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// Topics are created as the roles would, those that are missing, and a log
// that was in use is not recreated.
func TestCreate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	create := func(partitions int, want ...string) {
		t.Helper()
		if got, err := topics.Create(ctx, kafka, partitions, 1); err != nil || !slices.Equal(got, want) {
			t.Errorf("created %v (%v), want %v", got, err, want)
		}
	}
	refuses := func(partitions int, want string) {
		t.Helper()
		if got, err := topics.Create(ctx, kafka, partitions, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("created %v (%v), want an error that says %q", got, err, want)
		}
	}
	create(4, schema.TopicCommands, schema.TopicRejected, schema.TopicControl, schema.TopicEvents, schema.TopicHooks, schema.TopicPush, schema.TopicRules, schema.TopicSignalPush, schema.TopicSignals, schema.TopicState)
	if all, err := topics.Describe(ctx, kafka, nil); err != nil || len(all) != 7*4+3 || all[0].End != 0 {
		t.Errorf("there are %d partitions (%v), want 31 without markers", len(all), err)
	}
	create(0)
	refuses(5, "a log keeps the count it was created with")
	log, err := epoch.Open(ctx, kafka, epoch.Options{})
	if err != nil || log.Partitions != 4 {
		t.Fatalf("the roles open %d partitions, %v", log.Partitions, err)
	}
	if err := admin.DeleteTopic(ctx, kafka, schema.TopicPush); err != nil {
		t.Fatal(err)
	}
	create(0, schema.TopicPush)
	if err := admin.DeleteTopic(ctx, kafka, schema.TopicEvents); err != nil {
		t.Fatal(err)
	}
	refuses(0, "the log of epoch "+log.Epoch+" was in it")
}
