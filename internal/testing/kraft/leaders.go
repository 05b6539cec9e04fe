package kraft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// adminTimeout bounds one request to a cluster.
const adminTimeout = 10 * time.Second

// MoveLeaders gives every partition of the topics that clients have made the
// next of its replicas as leader, as a rebalancing of a cluster does. Where the
// next one is not in sync, the leader stays.
func MoveLeaders(ctx context.Context, brokers []string) error {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: adminTimeout, Transport: transport}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("ask who leads what: %w", err)
	}
	for _, t := range meta.Topics {
		if t.Internal {
			continue
		}
		if err := moveLeaders(ctx, client, t); err != nil {
			return fmt.Errorf("move the leaders of %s: %w", t.Name, err)
		}
	}
	return nil
}

func moveLeaders(ctx context.Context, client *kafka.Client, t kafka.Topic) error {
	req := &kafka.AlterPartitionReassignmentsRequest{Topic: t.Name, Timeout: adminTimeout}
	var partitions []int
	for _, p := range t.Partitions {
		var order []int
		for i := range p.Replicas {
			order = append(order, p.Replicas[(i+1)%len(p.Replicas)].ID)
		}
		partitions = append(partitions, p.ID)
		req.Assignments = append(req.Assignments, kafka.AlterPartitionReassignmentsRequestAssignment{PartitionID: p.ID, BrokerIDs: order})
	}
	res, err := client.AlterPartitionReassignments(ctx, req)
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return err
	}
	elected, err := client.ElectLeaders(ctx, &kafka.ElectLeadersRequest{Topic: t.Name, Partitions: partitions, Timeout: adminTimeout})
	if err != nil {
		return err
	}
	for _, r := range elected.PartitionResults {
		if r.Error != nil && !errors.Is(r.Error, kafka.ElectionNotNeeded) && !errors.Is(r.Error, kafka.PreferredLeaderNotAvailable) {
			return r.Error
		}
	}
	return elected.Error
}
