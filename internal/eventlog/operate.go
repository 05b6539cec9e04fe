package eventlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// DeleteTopic deletes a topic with all that is in it, and returns when the
// cluster no longer knows it. A topic that does not exist is not an error. It
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
