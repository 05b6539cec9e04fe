package eventlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
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
}

// TopicInfo is what identifies a topic.
type TopicInfo struct {
	// ID is another one after a topic was deleted and created again.
	ID [16]byte
	// Partitions is how many it has.
	Partitions int
	// Replicas is how many brokers keep its first partition.
	Replicas int
}

// EnsureTopics creates the topics that are missing and checks the others; a
// race with another creator is harmless. A topic with the wrong settings is
// a [*TopicError]. It waits for the cluster while that can help, until ctx
// ends.
func (c *Client) EnsureTopics(ctx context.Context, topics []Topic) error {
	for _, t := range topics {
		intervals := newBackoff()
		for {
			there, err := c.ensureTopic(ctx, t)
			if err != nil {
				return err
			}
			if there {
				break
			}
			if sleep(ctx, intervals.NextBackOff()) != nil {
				return fmt.Errorf("create topic %s: %w", t.Name, context.Cause(ctx))
			}
		}
	}
	return nil
}

// ensureTopic checks a topic, or creates it where it is missing: then it is to
// be looked up again, as when it is deleted meanwhile. Kafka takes a while to
// delete a topic, and reports until then that it exists.
func (c *Client) ensureTopic(ctx context.Context, t Topic) (there bool, err error) {
	info, err := c.TopicInfo(ctx, t.Name)
	if errors.Is(err, ErrUnknownTopic) {
		if err := c.createTopic(ctx, t); err != nil {
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
	if err := c.checkConfig(ctx, t); !errors.Is(err, ErrUnknownTopic) {
		return err == nil, err
	}
	return false, nil
}

// createTopic creates a topic, and does without those of its initial settings
// that a hosted cluster does not let its users choose.
func (c *Client) createTopic(ctx context.Context, t Topic) error {
	settings := maps.Clone(t.Config)
	if settings == nil {
		settings = map[string]string{}
	}
	maps.Copy(settings, t.Initial)
	err := c.createTopicWith(ctx, t, settings, false)
	if len(t.Initial) == 0 || !isSettingRefused(err) {
		return err
	}
	refused := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(t.Initial)) {
		trial := map[string]string{name: t.Initial[name]}
		maps.Copy(trial, t.Config)
		switch err := c.createTopicWith(ctx, t, trial, true); {
		case isSettingRefused(err):
			refused[name] = t.Initial[name]
			delete(settings, name)
		case err != nil:
			return err
		}
	}
	c.log.Warn("the cluster refuses settings that a topic should have: it is created without them",
		"topic", t.Name, "settings", refused, "error", err)
	return c.createTopicWith(ctx, t, settings, false)
}

func isSettingRefused(err error) bool {
	return errors.Is(err, kafka.InvalidConfiguration) || errors.Is(err, kafka.PolicyViolation)
}

// createTopicWith creates a topic with these settings or, as a trial, only
// asks the cluster whether it would.
func (c *Client) createTopicWith(ctx context.Context, t Topic, settings map[string]string, trial bool) error {
	spec := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.ReplicationFactor}
	if spec.ReplicationFactor == 0 {
		spec.ReplicationFactor = -1
	}
	for name, value := range settings {
		spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	return c.retry(ctx, func() error {
		res, err := c.kafka.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{spec}, ValidateOnly: trial})
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

// awaitTopic waits until a topic that was created is known and led.
func (c *Client) awaitTopic(ctx context.Context, name string) (TopicInfo, error) {
	var info TopicInfo
	err := c.retry(ctx, func() error {
		var err error
		info, err = c.lookUpTopic(ctx, name)
		if errors.Is(err, ErrUnknownTopic) {
			return kafka.LeaderNotAvailable
		}
		return err
	})
	return info, err
}

// checkConfig compares the settings that t names with the topic's own.
func (c *Client) checkConfig(ctx context.Context, t Topic) error {
	if len(t.Config) == 0 {
		return nil
	}
	have, err := c.TopicSettings(ctx, t.Name)
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

// TopicInfo asks the cluster, past every cache, which topic has this name
// now. A topic that does not exist is [ErrUnknownTopic]. It waits for the cluster
// while that can help, until ctx ends.
func (c *Client) TopicInfo(ctx context.Context, topic string) (TopicInfo, error) {
	var info TopicInfo
	err := c.retry(ctx, func() error {
		var err error
		info, err = c.lookUpTopic(ctx, topic)
		return err
	})
	if err != nil {
		return TopicInfo{}, fmt.Errorf("topic %s: %w", topic, err)
	}
	return info, nil
}

// lookUpTopic asks once.
func (c *Client) lookUpTopic(ctx context.Context, topic string) (TopicInfo, error) {
	t, err := c.describeTopic(ctx, topic)
	if err != nil {
		return TopicInfo{}, err
	}
	for i := range t.Partitions {
		if code := kafka.Error(t.Partitions[i].ErrorCode); code == kafka.LeaderNotAvailable {
			return TopicInfo{}, code
		}
	}
	info := TopicInfo{ID: t.TopicID, Partitions: len(t.Partitions)}
	if len(t.Partitions) > 0 {
		info.Replicas = len(t.Partitions[0].Replicas)
	}
	return info, nil
}

// Offsets returns the lowest offset that a partition still holds and the one
// that its next record will get. It waits for the cluster while that can help,
// until ctx ends.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	err = c.retry(ctx, func() error {
		first, end, err = c.listOffsets(ctx, topic, partition)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("offsets of %s/%d: %w", topic, partition, err)
	}
	return first, end, nil
}

// listOffsets asks once.
func (c *Client) listOffsets(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	res, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{
			topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
		},
	})
	if err != nil {
		return 0, 0, err
	}
	for _, p := range res.Topics[topic] {
		if p.Partition == partition {
			return p.FirstOffset, p.LastOffset, p.Error
		}
	}
	return 0, 0, kafka.UnknownTopicOrPartition
}
