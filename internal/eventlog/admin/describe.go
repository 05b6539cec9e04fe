package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition is where a partition is kept.
type Partition struct {
	ID     int   `json:"partition"`
	Leader int32 `json:"leader"` // -1: none
	// Replicas are the brokers that keep it, InSync those that have all of it.
	Replicas []int32 `json:"replicas"`
	InSync   []int32 `json:"in_sync"`
}

// Partitions returns where the partitions of a topic are kept, ascending. A
// topic that does not exist is eventlog.ErrUnknownTopic. It waits for the cluster while that can
// help, until ctx ends.
func Partitions(ctx context.Context, c *eventlog.Client, topic string) ([]Partition, error) {
	var found []Partition
	err := c.Retry(ctx, func() error {
		found = nil
		t, err := c.DescribeTopic(ctx, topic)
		if err != nil {
			return err
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			found = append(found, Partition{ID: int(p.Partition), Leader: p.Leader, Replicas: p.Replicas, InSync: p.ISR})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	slices.SortFunc(found, func(a, b Partition) int { return a.ID - b.ID })
	return found, nil
}

// Brokers are the ids of the brokers that are up, ascending. It waits for
// the cluster while that can help, until ctx ends.
func Brokers(ctx context.Context, c *eventlog.Client) ([]int, error) {
	var ids []int
	err := c.Retry(ctx, func() error {
		ids = nil
		res, err := c.Kafka().Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return err
		}
		for _, b := range res.Brokers {
			ids = append(ids, b.ID)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the brokers: %w", err)
	}
	slices.Sort(ids)
	return ids, nil
}

// Setting is one setting of a topic or a broker.
type Setting struct {
	Value string
	// Own: it was set for this topic or this broker, and does not follow a
	// default.
	Own bool
}

// TopicSettings are all settings of a topic. A topic that does not exist is
// [eventlog.ErrUnknownTopic]. It waits for the cluster while that can help, until ctx
// ends.
func TopicSettings(ctx context.Context, c *eventlog.Client, topic string) (map[string]Setting, error) {
	return settings(ctx, c, kafka.ResourceTypeTopic, topic)
}

// BrokerSettings are all settings of a broker. It waits for the cluster while
// that can help, until ctx ends.
func BrokerSettings(ctx context.Context, c *eventlog.Client, id int) (map[string]Setting, error) {
	return settings(ctx, c, kafka.ResourceTypeBroker, strconv.Itoa(id))
}

// sourceTopic is Kafka's number for a setting of the topic itself.
const sourceTopic = 1

func settings(ctx context.Context, c *eventlog.Client, kind kafka.ResourceType, name string) (map[string]Setting, error) {
	have := map[string]Setting{}
	err := c.Retry(ctx, func() error {
		clear(have)
		res, err := c.Kafka().DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
			Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kind, ResourceName: name}},
		})
		if err != nil {
			return err
		}
		for _, r := range res.Resources {
			if errors.Is(r.Error, kafka.UnknownTopicOrPartition) {
				return eventlog.ErrUnknownTopic
			}
			if r.Error != nil {
				return r.Error
			}
			for _, e := range r.ConfigEntries {
				own := kind == kafka.ResourceTypeBroker && !e.IsDefault || e.ConfigSource == sourceTopic
				have[e.ConfigName] = Setting{Value: e.ConfigValue, Own: own}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the settings of %s: %w", name, err)
	}
	return have, nil
}

// Disk is a folder of a broker's log, in bytes.
type Disk struct {
	Path        string
	Total, Free int64 // -1: the broker does not report it
}

// Disks are the folders of a broker's log. A broker that is too old to report
// them has none. It waits for the cluster while that can help, until ctx ends.
func Disks(ctx context.Context, c *eventlog.Client, broker int) ([]Disk, error) {
	var found []Disk
	err := c.Retry(ctx, func() error {
		found = nil
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.SetVersion(4) // the first that reports the size of the disk
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		res, err := c.Ask(ctx, req, &broker)
		if err != nil {
			return err
		}
		described := res.(*kmsg.DescribeLogDirsResponse)
		if err := kafka.Error(described.ErrorCode); err != 0 {
			return err
		}
		for _, d := range described.Dirs {
			if err := kafka.Error(d.ErrorCode); err != 0 {
				return err
			}
			found = append(found, Disk{Path: d.Dir, Total: d.TotalBytes, Free: d.UsableBytes})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask broker %d for its disks: %w", broker, err)
	}
	return found, nil
}

// TimeOf is the time of the record at an offset, or of the first one after it.
// The record must exist. The errors are those of [eventlog.Reader.Next].
func TimeOf(ctx context.Context, c *eventlog.Client, topic string, partition int, offset int64) (time.Time, error) {
	r := c.NewReader(eventlog.ReaderConfig{Topic: topic, Partition: partition, Offset: offset, MaxBytes: 1}) // one batch
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if len(batch.Records) > 0 {
			return batch.Records[0].Time, nil
		}
	}
}
