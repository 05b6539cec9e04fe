// Package roles finds out which roles run on a log, and what they report about
// themselves: connectors by their beats in parley.control, the others as members of
// consumer groups. It only reads. What all roles have in
// common is here too: [Base] of their Config, and [Health].
package roles

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Names of the roles.
const (
	Connector  = "connector"
	Chatworker = "chatworker"
	Projector  = "projector"
	Hooks      = "hooks"
	Ingest     = "ingest"
)

// Default names of the consumer groups.
const (
	ChatworkerGroup = "parley-chatworker"
	ProjectorGroup  = "parley-projector"
	// HooksGroup and a name are that of the hooks of the name.
	HooksGroup  = "parley-hooks"
	IngestGroup = "parley-ingest"
)

// Role is one role that runs.
type Role struct {
	// Kind is the name of the role.
	Kind string `json:"role"`
	// Name is the incarnation of a connector, else host/pid.
	Name string `json:"name"`
	// At is where a connector listens, else the host that a member of a group
	// connects from.
	At string `json:"at"`
	// Group is the consumer group; "" of a connector.
	Group string `json:"group,omitempty"`
	// Format is the newest format of the log that it understands.
	Format int32 `json:"format"`
	// Version is that of its program; "" if it reports none.
	Version string `json:"version,omitempty"`
	// Seen is the time of a connector's newest beat, by its own clock.
	Seen time.Time `json:"-"`
	// Leaving: the connector has drained and ended.
	Leaving bool `json:"-"`
	// Trouble is why a connector is not as it should be, a sentence each, by
	// its newest beat.
	Trouble []string `json:"trouble,omitempty"`
	// TokenAge is how long after its iat a token can expire that a connector
	// takes; 0: any time after, or it does not report it.
	TokenAge time.Duration `json:"-"`
}

func (r Role) String() string {
	if r.At == "" {
		return fmt.Sprintf("%s %s", r.Kind, r.Name)
	}
	return fmt.Sprintf("%s %s at %s", r.Kind, r.Name, r.At)
}

// Find returns the roles that run, sorted, without connectors that have
// drained. A connector that was killed counts until a chat worker has declared
// it down, 8 ticks later; a member that was killed until its session times out.
func Find(ctx context.Context, kafka *eventlog.Client) ([]Role, error) {
	groups, err := Groups(ctx, kafka)
	if err != nil {
		return nil, err
	}
	found, err := Connectors(ctx, kafka)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(r Role) bool { return r.Leaving })
	for i := range groups {
		found = append(found, groups[i].Roles...)
	}
	slices.SortFunc(found, compare)
	return found, nil
}

func compare(a, b Role) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.At, b.At), cmp.Compare(a.Name, b.Name))
}

// Connectors returns the connectors whose beats parley.control holds.
func Connectors(ctx context.Context, kafka *eventlog.Client) ([]Role, error) {
	found := map[string]Role{}
	err := epoch.ReadControl(ctx, kafka, func(r eventlog.Record) error {
		id, ok := schema.ControlBeatOf(string(r.Key))
		var beat schema.Beat
		switch {
		case !ok:
		case r.Value == nil:
			delete(found, id)
		case proto.Unmarshal(r.Value, &beat) == nil:
			found[id] = Role{
				Kind: Connector, Name: id, At: beat.Address, Format: max(1, beat.Format), Version: beat.Version,
				Seen: time.UnixMilli(beat.Time), Leaving: beat.Leaving, Trouble: beat.Trouble,
				TokenAge: time.Duration(beat.TokenAge) * time.Millisecond,
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the connectors' beats: %w", err)
	}
	return slices.SortedFunc(maps.Values(found), compare), nil
}

// TokenAge is how long tokens last at most that the connectors take that run; 0: for
// any time, or nobody knows.
func TokenAge(ctx context.Context, kafka *eventlog.Client) (time.Duration, error) {
	all, err := Connectors(ctx, kafka)
	if err != nil {
		return 0, err
	}
	longest := time.Duration(0)
	for _, c := range all {
		if c.TokenAge <= 0 {
			return 0, nil
		}
		longest = max(longest, c.TokenAge)
	}
	return longest, nil
}
