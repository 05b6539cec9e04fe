package krafttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// empty deletes every topic and group of a broker.
func empty(ctx context.Context, addr string) error {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second, Transport: transport}
	if err := deleteGroups(ctx, client); err != nil {
		return err
	}
	for {
		left, err := deleteTopics(ctx, client)
		if err != nil || left == 0 {
			return err
		}
		transport.CloseIdleConnections() // or its cache would still list what was there
		time.Sleep(10 * time.Millisecond)
	}
}

// deleteGroups fails when a group has members, such as one that was killed and
// not missed yet: the next test would have to wait for it.
func deleteGroups(ctx context.Context, client *kafka.Client) error {
	groups, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	var names []string
	for _, g := range groups.Groups {
		names = append(names, g.GroupID)
	}
	if len(names) == 0 {
		return nil
	}
	res, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: names})
	if err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	for _, name := range names {
		if err := res.Errors[name]; err != nil && !errors.Is(err, kafka.GroupIdNotFound) {
			return fmt.Errorf("delete group %s: %w", name, err)
		}
	}
	return nil
}

// deleteTopics returns how many topics there were.
func deleteTopics(ctx context.Context, client *kafka.Client) (int, error) {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return 0, fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for _, t := range meta.Topics {
		if !t.Internal {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return 0, nil
	}
	res, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
	if err != nil {
		return 0, fmt.Errorf("delete topics: %w", err)
	}
	for _, name := range names {
		if err := res.Errors[name]; err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("delete topic %s: %w", name, err)
		}
	}
	return len(names), nil
}
