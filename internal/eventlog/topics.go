package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicInfo is what identifies a topic.
type TopicInfo struct {
	// ID is another one after a topic was deleted and created again.
	ID [16]byte
	// Partitions is how many it has.
	Partitions int
	// Replicas is how many brokers keep its first partition.
	Replicas int
}

// awaitTopic waits until a topic that was created is known and led.
func (c *Client) awaitTopic(ctx context.Context, name string) (TopicInfo, error) {
	var info TopicInfo
	err := c.Retry(ctx, func() error {
		var err error
		info, err = c.lookUpTopic(ctx, name)
		if errors.Is(err, ErrUnknownTopic) {
			return kafka.LeaderNotAvailable
		}
		return err
	})
	return info, err
}

// TopicInfo asks the cluster, past every cache, which topic has this name
// now. A topic that does not exist is [ErrUnknownTopic]. It waits for the cluster
// while that can help, until ctx ends.
func (c *Client) TopicInfo(ctx context.Context, topic string) (TopicInfo, error) {
	var info TopicInfo
	err := c.Retry(ctx, func() error {
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
	t, err := c.DescribeTopic(ctx, topic)
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

// DescribeTopic asks the cluster once, past every cache. A topic that does not
// exist is [ErrUnknownTopic].
func (c *Client) DescribeTopic(ctx context.Context, topic string) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(12) // the first that works with topic ids
	req.AllowAutoTopicCreation = false
	name := kmsg.NewMetadataRequestTopic()
	name.Topic = kmsg.StringPtr(topic)
	req.Topics = []kmsg.MetadataRequestTopic{name}

	res, err := c.Ask(ctx, req, nil)
	if err != nil {
		return nil, err
	}
	meta := res.(*kmsg.MetadataResponse)
	if len(meta.Topics) != 1 {
		return nil, fmt.Errorf("a broker described %d topics when asked for one", len(meta.Topics))
	}
	t := &meta.Topics[0]
	switch err := kafka.Error(t.ErrorCode); {
	case err == kafka.UnknownTopicOrPartition:
		return nil, ErrUnknownTopic
	case err != 0:
		return nil, err
	}
	return t, nil
}

// Offsets returns the lowest offset that a partition still holds and the one
// that its next record will get. It waits for the cluster while that can help,
// until ctx ends.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	return c.offsets(ctx, topic, partition, kafka.ReadUncommitted)
}

// CommittedOffsets is Offsets, with the end up to which a reader that is Committed reads
// now.
func (c *Client) CommittedOffsets(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	return c.offsets(ctx, topic, partition, kafka.ReadCommitted)
}

func (c *Client) offsets(ctx context.Context, topic string, partition int, as kafka.IsolationLevel) (first, end int64, err error) {
	err = c.Retry(ctx, func() error {
		first, end, err = c.listOffsets(ctx, topic, partition, as)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("offsets of %s/%d: %w", topic, partition, err)
	}
	return first, end, nil
}

// listOffsets asks once.
func (c *Client) listOffsets(ctx context.Context, topic string, partition int, as kafka.IsolationLevel) (first, end int64, err error) {
	res, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{
			topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
		},
		IsolationLevel: as,
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
