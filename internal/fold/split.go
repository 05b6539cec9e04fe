package fold

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// headroom is more than a push takes without the lists in its updates: the
// connector, the channel and a dozen numbers.
const headroom = 512

// snapshots give a connector what it needs to know about a channel: the users in
// it, then who of them is banned, then its void acts.
func (s *step) snapshots(ch *channel) []*schema.Update {
	settings := ch.allSettings()
	half := (s.fold.limit - headroom - proto.Size(settings)) / 2
	var snapshots []*schema.Snapshot
	for _, users := range chunks(ch.sortedUsers(), half, ch.userSize) {
		snapshots = append(snapshots, &schema.Snapshot{Users: users, Infos: ch.infosOf(users)})
	}
	if len(snapshots) == 0 { // a watch of an empty channel
		snapshots = append(snapshots, &schema.Snapshot{})
	}
	for _, banned := range chunks(s.banned(ch), half, userSize) {
		snapshots = append(snapshots, &schema.Snapshot{Banned: banned})
	}
	for i, voids := range chunks(s.fold.voids.of(ch.name), half, voidSize) {
		if i == 0 { // the last chunk of users is at most half a push
			snapshots[len(snapshots)-1].Voids = voids
			continue
		}
		snapshots = append(snapshots, &schema.Snapshot{Voids: voids})
	}
	first := snapshots[0]
	first.First, first.Settings, first.Clast, first.Amounts = true, settings, ch.clast, s.fold.amounts(ch)
	updates := make([]*schema.Update, len(snapshots), len(snapshots)+1)
	for i, sn := range snapshots {
		updates[i] = &schema.Update{Channel: ch.name, Kind: &schema.Update_Snapshot{Snapshot: sn}}
	}
	return updates
}

// infosOf are the infos of the users; nil where the channel has none.
func (c *channel) infosOf(users []string) [][]byte {
	if c.more == nil || c.more.infos == nil {
		return nil
	}
	infos := make([][]byte, len(users))
	for i, user := range users {
		infos[i] = c.more.infos[user]
	}
	return infos
}

// userSize is what a user takes in a snapshot.
func (c *channel) userSize(user string) int {
	n := userSize(user)
	if c.more != nil && c.more.infos != nil {
		n += 1 + protowire.SizeBytes(len(c.more.infos[user]))
	}
	return n
}

// departed reports that users are gone from a channel; without users, that a
// connector is.
func (s *step) departed(ch *channel, gone []string, reason schema.Reason) []*schema.Update {
	lists := chunks(gone, s.fold.limit-headroom, userSize)
	if len(lists) == 0 {
		lists = [][]string{nil}
	}
	updates := make([]*schema.Update, len(lists))
	for i, users := range lists {
		updates[i] = &schema.Update{Channel: ch.name, Kind: &schema.Update_Departed{Departed: &schema.Departed{
			Users: users, Reason: reason, Count: int64(len(ch.users)),
		}}}
	}
	return updates
}

// userSize is what a user takes in a list of them.
func userSize(user string) int { return 1 + protowire.SizeBytes(len(user)) }

// voidSize is what an offset takes in a list of them.
func voidSize(offset int64) int { return protowire.SizeVarint(uint64(offset)) }

// chunks cuts items into runs of at most limit bytes, each of at least one
// item.
func chunks[T any](items []T, limit int, size func(T) int) [][]T {
	var out [][]T
	start, bytes := 0, 0
	for i, item := range items {
		n := size(item)
		if i > start && bytes+n > limit {
			out = append(out, items[start:i:i])
			start, bytes = i, 0
		}
		bytes += n
	}
	if start < len(items) {
		out = append(out, items[start:])
	}
	return out
}

// pack distributes updates over as few pushes as hold them, in order.
func pack(updates []*schema.Update, limit int) [][]*schema.Update {
	if len(updates) == 1 { // no update is larger than a push
		return [][]*schema.Update{updates}
	}
	return chunks(updates, limit-headroom, func(u *schema.Update) int {
		return 1 + protowire.SizeBytes(proto.Size(u))
	})
}
