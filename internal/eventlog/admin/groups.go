package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/segmentio/kafka-go"
)

// Group is a consumer group as its coordinator describes it.
type Group struct {
	Name string
	// State is Kafka's name of it: "Stable", "Empty", "Dead",
	// "PreparingRebalance" or "CompletingRebalance". The UserData of
	// members is known only in a stable group.
	State   string
	Members []GroupMember
}

// Settled reports whether the group is not between two generations.
func (g *Group) Settled() bool {
	return g.State != "PreparingRebalance" && g.State != "CompletingRebalance"
}

// GroupMember is one member of a group. One that died counts until its session
// times out.
type GroupMember struct {
	ID, ClientID, Host string
	// UserData is what it gave to [eventlog.Client.RunGroup].
	UserData []byte
	// Assigned are the partitions it serves, by topic.
	Assigned map[string][]int
}

// DescribeGroup describes a consumer group. One that does not exist has no members. It
// waits for the cluster while that can help, until ctx ends.
func DescribeGroup(ctx context.Context, c *eventlog.Client, name string) (Group, error) {
	var group Group
	err := c.Retry(ctx, func() error {
		group = Group{Name: name, State: "Dead"}
		res, err := c.Kafka().DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{name}})
		if err != nil {
			return err
		}
		for _, g := range res.Groups {
			if g.Error != nil {
				return absent(g.Error)
			}
			group.State = g.GroupState
			for _, m := range g.Members {
				group.Members = append(group.Members, groupMember(&m))
			}
		}
		return nil
	})
	if err != nil {
		return Group{}, fmt.Errorf("ask for the members of group %s: %w", name, err)
	}
	return group, nil
}

func groupMember(m *kafka.DescribeGroupsResponseMember) GroupMember {
	assigned := map[string][]int{}
	for _, t := range m.MemberAssignments.Topics {
		assigned[t.Topic] = t.Partitions
	}
	return GroupMember{
		ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost,
		UserData: m.MemberMetadata.UserData, Assigned: assigned,
	}
}

// Groups are the names of the cluster's consumer groups, sorted. It waits for
// the cluster while that can help, until ctx ends.
func Groups(ctx context.Context, c *eventlog.Client) ([]string, error) {
	var names []string
	err := c.Retry(ctx, func() error {
		names = nil
		res, err := c.Kafka().ListGroups(ctx, &kafka.ListGroupsRequest{})
		if err != nil {
			return err
		}
		for _, g := range res.Groups {
			if g.ProtocolType == "consumer" || g.ProtocolType == "" {
				names = append(names, g.GroupID)
			}
		}
		return res.Error
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the consumer groups: %w", err)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Committed are the offsets that a group committed for a topic, by partition.
// A partition without one is missing. It waits for the cluster while that can
// help, until ctx ends.
func Committed(ctx context.Context, c *eventlog.Client, group, topic string, partitions int) (map[int]int64, error) {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	committed := map[int]int64{}
	err := c.Retry(ctx, func() error {
		clear(committed)
		res, err := c.Kafka().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[topic] {
			if p.Error != nil {
				return absent(p.Error)
			}
			if p.CommittedOffset >= 0 {
				committed[p.Partition] = p.CommittedOffset
			}
		}
		return absent(res.Error)
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the offsets of group %s: %w", group, err)
	}
	return committed, nil
}

// absent is nil for a group that does not exist, and err otherwise.
func absent(err error) error {
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil
	}
	return err
}
