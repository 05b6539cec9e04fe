package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/eventlog"
)

// partitionsSetting is what a TopicError calls the number of partitions.
const partitionsSetting = "partitions"

// Topic is the required form of a topic.
type Topic struct {
	Name string
	// Partitions is how many it has.
	Partitions int
	// ReplicationFactor is used when the topic is created; 0 leaves it to the
	// brokers. It is not checked on an existing topic.
	ReplicationFactor int
	// Config are topic settings such as "cleanup.policy", set at creation and
	// checked ever after. Settings named nowhere are left alone.
	Config map[string]string
	// Initial are more settings at creation, where the cluster allows them. They
	// are not checked.
	Initial map[string]string
	// Optional: those who need the others do without it.
	Optional bool
}

// EnsureTopics creates the topics that are missing and checks the others; a
// race with another creator is harmless. A topic with the wrong settings is
// a [*TopicError]. It waits for the cluster while that can help, until ctx
// ends.
func EnsureTopics(ctx context.Context, c *eventlog.Client, topics []Topic) error {
	for _, t := range topics {
		wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(10*time.Millisecond),
			backoff.WithMaxInterval(time.Second), backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
		for {
			there, err := ensureTopic(ctx, c, t)
			if err != nil {
				return err
			}
			if there {
				break
			}
			select {
			case <-time.After(wait.NextBackOff()):
			case <-ctx.Done():
				return fmt.Errorf("create topic %s: %w", t.Name, context.Cause(ctx))
			}
		}
	}
	return nil
}

// ensureTopic checks a topic, or creates it where it is missing: then it is to
// be looked up again, as when it is deleted meanwhile. Kafka takes a while to
// delete a topic, and reports until then that it exists.
func ensureTopic(ctx context.Context, c *eventlog.Client, t Topic) (there bool, err error) {
	info, err := c.TopicInfo(ctx, t.Name)
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		if err := createTopic(ctx, c, t); err != nil {
			return false, fmt.Errorf("create topic %s: %w", t.Name, err)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up topic %s: %w", t.Name, err)
	}
	if info.Partitions != t.Partitions {
		return false, &TopicError{
			Topic: t.Name, Setting: partitionsSetting,
			Have: strconv.Itoa(info.Partitions), Want: strconv.Itoa(t.Partitions),
		}
	}
	if err := checkConfig(ctx, c, t); !errors.Is(err, eventlog.ErrUnknownTopic) {
		return err == nil, err
	}
	return false, nil
}

// createTopic creates a topic, and does without those of its initial settings
// that a hosted cluster does not let its users choose.
func createTopic(ctx context.Context, c *eventlog.Client, t Topic) error {
	settings := maps.Clone(t.Config)
	if settings == nil {
		settings = map[string]string{}
	}
	maps.Copy(settings, t.Initial)
	err := createTopicWith(ctx, c, t, settings, false)
	if len(t.Initial) == 0 || !isSettingRefused(err) {
		return err
	}
	refused := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(t.Initial)) {
		trial := map[string]string{name: t.Initial[name]}
		maps.Copy(trial, t.Config)
		switch err := createTopicWith(ctx, c, t, trial, true); {
		case isSettingRefused(err):
			refused[name] = t.Initial[name]
			delete(settings, name)
		case err != nil:
			return err
		}
	}
	c.Logger().Warn("the cluster refuses settings that a topic should have: it is created without them",
		"topic", t.Name, "settings", refused, "error", err)
	return createTopicWith(ctx, c, t, settings, false)
}

func isSettingRefused(err error) bool {
	return errors.Is(err, kafka.InvalidConfiguration) || errors.Is(err, kafka.PolicyViolation)
}

// createTopicWith creates a topic with these settings or, as a trial, only
// asks the cluster whether it would.
func createTopicWith(ctx context.Context, c *eventlog.Client, t Topic, settings map[string]string, trial bool) error {
	spec := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.ReplicationFactor}
	if spec.ReplicationFactor == 0 {
		spec.ReplicationFactor = -1
	}
	for name, value := range settings {
		spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	return c.Retry(ctx, func() error {
		res, err := c.Kafka().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{spec}, ValidateOnly: trial})
		if err != nil {
			return err
		}
		err = res.Errors[t.Name]
		switch {
		case errors.Is(err, kafka.TopicAlreadyExists):
			return nil
		case errors.Is(err, kafka.InvalidReplicationFactor):
			return fmt.Errorf("the cluster has fewer brokers than the %d replicas configured: %w", t.ReplicationFactor, err)
		}
		return err
	})
}

// checkConfig compares the settings that t names with the topic's own.
func checkConfig(ctx context.Context, c *eventlog.Client, t Topic) error {
	if len(t.Config) == 0 {
		return nil
	}
	have, err := TopicSettings(ctx, c, t.Name)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		if want := t.Config[name]; have[name].Value != want {
			return &TopicError{Topic: t.Name, Setting: name, Have: have[name].Value, Want: want, tool: c.ToolFlags()}
		}
	}
	return nil
}

// DeleteTopic deletes a topic with all that is in it, and returns when the
// cluster no longer knows it. A topic that does not exist is not an error. It
// waits for the cluster while that can help, until ctx ends.
func DeleteTopic(ctx context.Context, c *eventlog.Client, name string) error {
	err := c.Retry(ctx, func() error {
		res, err := c.Kafka().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
		if err == nil {
			err = res.Errors[name]
		}
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return nil
		}
		return err
	})
	if err == nil {
		err = c.Retry(ctx, func() error {
			_, err := c.TopicInfo(ctx, name)
			switch {
			case errors.Is(err, eventlog.ErrUnknownTopic):
				return nil
			case err == nil:
				return errors.New("the cluster still knows it")
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}
