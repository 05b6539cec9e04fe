package roles

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

// Group is a consumer group of a role.
type Group struct {
	Name string
	// Kind is the role of its members.
	Kind  string
	Roles []Role
	// Assigned are the partitions of the topics that members serve.
	Assigned map[string][]int
}

const (
	// settleTime is how long a group that redistributes its partitions is waited
	// for: the user data of its members is hidden meanwhile.
	settleTime = 15 * time.Second
	settlePoll = 100 * time.Millisecond
)

// Groups returns the consumer groups of roles, whatever they are called, and
// in any case those with the default names. Other programs' groups, and members
// that are not roles, are left out.
func Groups(ctx context.Context, kafka *eventlog.Client) ([]Group, error) {
	names, err := admin.Groups(ctx, kafka)
	if err != nil {
		return nil, err
	}
	names = append(names, ChatworkerGroup, ProjectorGroup)
	slices.Sort(names)
	var found []Group
	for _, name := range slices.Compact(names) {
		g, err := settled(ctx, kafka, name)
		if err != nil {
			return nil, err
		}
		if read := readGroup(&g); read.Kind != "" {
			found = append(found, read)
		}
	}
	return found, nil
}

// settled describes a group once it has shared its partitions out.
func settled(ctx context.Context, kafka *eventlog.Client, name string) (admin.Group, error) {
	for deadline := time.Now().Add(settleTime); ; {
		g, err := admin.DescribeGroup(ctx, kafka, name)
		if err != nil || g.Settled() || time.Now().After(deadline) {
			return g, err
		}
		select {
		case <-time.After(settlePoll):
		case <-ctx.Done():
			return g, ctx.Err()
		}
	}
}

// readGroup keeps what is about roles. A member of a role's group
// without user data is of a version that knew only one format.
func readGroup(g *admin.Group) Group {
	found := Group{Name: g.Name, Kind: defaultKind(g.Name), Assigned: map[string][]int{}}
	for i := range g.Members {
		m := &g.Members[i]
		var own schema.Member
		if proto.Unmarshal(m.UserData, &own) != nil || !inGroup(own.Role) {
			if found.Kind == "" {
				continue // another program's
			}
			own.Reset()
			own.Role = found.Kind
		}
		found.Kind = own.Role
		found.Roles = append(found.Roles, Role{Kind: own.Role, Name: own.Process, At: m.Host, Group: g.Name, Format: max(1, own.Format), Version: own.Version})
		for topic, partitions := range m.Assigned {
			found.Assigned[topic] = append(found.Assigned[topic], partitions...)
		}
	}
	return found
}

// inGroup reports whether a role's processes share partitions as a group.
func inGroup(role string) bool {
	return role == Chatworker || role == Projector || role == Hooks || role == Ingest
}

func defaultKind(group string) string {
	switch group {
	case ChatworkerGroup:
		return Chatworker
	case ProjectorGroup:
		return Projector
	}
	return ""
}

// Process names this process for people, as host/pid.
func Process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// UserData is what a member of a role's group reports about itself. process is
// host/pid.
func UserData(role, process string) ([]byte, error) {
	data, err := proto.Marshal(&schema.Member{Role: role, Format: schema.NewestFormat, Process: process, Version: Version()})
	if err != nil {
		return nil, fmt.Errorf("describe the member: %w", err)
	}
	return data, nil
}
