package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// DeleteTopic deletes a topic with all that is in it, and returns when the
// cluster does not know it any more. A topic that is not there is no error. It
// waits for the cluster while that can help, until ctx ends.
func (c *Client) DeleteTopic(ctx context.Context, name string) error {
	err := c.retry(ctx, func() error {
		res, err := c.kafka.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
		if err == nil {
			err = res.Errors[name]
		}
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return nil
		}
		return err
	})
	if err == nil {
		err = c.retry(ctx, func() error {
			_, err := c.lookUpTopic(ctx, name)
			switch {
			case errors.Is(err, ErrUnknownTopic):
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

// GroupMembers returns the hosts of a consumer group's members, one entry for
// each. A group that is not there has none. A member that died counts until
// its session times out.
func (c *Client) GroupMembers(ctx context.Context, group string) ([]string, error) {
	var hosts []string
	err := c.retry(ctx, func() error {
		hosts = nil
		res, err := c.kafka.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		if err != nil {
			return err
		}
		for _, g := range res.Groups {
			if g.Error != nil {
				return g.Error
			}
			for _, m := range g.Members {
				hosts = append(hosts, m.ClientHost)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the members of group %s: %w", group, err)
	}
	return hosts, nil
}
