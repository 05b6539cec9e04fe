package checker

import (
	"fmt"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Record is one event of the log and its place.
type Record struct {
	Offset int64
	Event  *schema.Event
}

// Log is every event of one epoch.
type Log struct {
	Epoch string
	// TopicID is Kafka's id of the topic.
	TopicID    [16]byte
	Window     int64
	Partitions [][]Record // ascending offsets
}

// event is one event as the log alone explains it.
type event struct {
	Record
	partition int
	void      bool
}

// message is a chat that is not void, the public one before it, and what was done
// to it.
type message struct {
	seq, prev int64
	chat      *schema.Chat
	time      int64
	changes   []change // ascending
}

func (m *message) visibleTo(user string) bool {
	return m.chat.To == "" || m.chat.User == user || m.chat.To == user
}

// notice records that a user came to a channel or left it.
type notice struct {
	seq    int64
	user   string
	joined bool
	reason schema.Reason
	may    bool // or may not have been shown
}

// stay is one session's membership, from its join to its leave or its
// connector's down.
type stay struct {
	session, user, connector string
	from, to                 int64 // to is 0 as long as it lasts
	began, ended             int64 // milliseconds, by the writers' clocks
	reason                   schema.Reason
	down                     bool // ended by a down
	forced                   bool // ended by a kick or a ban
	sight                    sight
}

// crowd is who was shown in a channel from seq on, sorted, and who may have been.
type crowd struct {
	seq          int64
	users, maybe []string
}

// channel is everything that happened in one channel.
type channel struct {
	name      string
	messages  []message // that are not void, private ones too
	changes   []change  // of all messages, and of none
	settings  []rpc.SettingsPush
	sanctions []sanctioned
	notices   []notice
	crowds    []crowd
	stays     map[string][]*stay // by session
	present   map[string]*stay   // as the log ends
	users     map[string]int     // sessions of each user, as the log ends
	last      int64              // newest public message
	clast     int64              // newest public change
}

// truth is the history according to the log.
type truth struct {
	log      Log
	events   [][]event // by partition
	channels map[string]*channel
	ends     []int64 // by partition, the offset after the last event
}

func newTruth(log Log) (*truth, error) {
	t := &truth{log: log, channels: map[string]*channel{}, events: make([][]event, len(log.Partitions)), ends: make([]int64, len(log.Partitions))}
	for p, records := range log.Partitions {
		window := schema.NewVoidWindow(log.Window)
		for _, r := range records {
			if r.Offset < t.ends[p] {
				return nil, fmt.Errorf("partition %d: offset %d does not follow %d", p, r.Offset, t.ends[p]-1)
			}
			t.ends[p] = r.Offset + 1
			void := r.Event.GetMarker() == nil && window.Judge(r.Offset, r.Event)
			t.events[p] = append(t.events[p], event{r, p, void})
			if !void {
				t.apply(p, r)
			}
		}
	}
	return t, nil
}

func (t *truth) apply(partition int, r Record) {
	switch k := r.Event.Kind.(type) {
	case *schema.Event_Chat:
		ch := t.channel(k.Chat.Channel)
		ch.messages = append(ch.messages, message{seq: r.Offset, prev: ch.last, chat: k.Chat, time: r.Event.Time})
		if k.Chat.To == "" {
			ch.last = r.Offset
		}
	case *schema.Event_Change:
		t.channel(k.Change.Channel).change(r, k.Change)
	case *schema.Event_Purge:
		t.channel(k.Purge.Channel).purge(r, &purge{k.Purge.By, k.Purge.Id, k.Purge.User, k.Purge.Since, k.Purge.Reason})
	case *schema.Event_Pin:
		t.channel(k.Pin.Channel).pin(r, k.Pin)
	case *schema.Event_Set:
		t.channel(k.Set.Channel).set(r, k.Set)
	case *schema.Event_Sanction:
		t.channel(k.Sanction.Channel).sanction(r, k.Sanction)
	case *schema.Event_Join:
		t.channel(k.Join.Channel).join(r, k.Join)
	case *schema.Event_Leave:
		t.channel(k.Leave.Channel).end(r, k.Leave.Session, k.Leave.Reason, false)
	case *schema.Event_Down:
		for _, ch := range t.channels {
			if schema.PartitionOf(ch.name, len(t.log.Partitions)) == partition {
				ch.down(r, k.Down)
			}
		}
	}
}

func (t *truth) channel(name string) *channel {
	ch := t.channels[name]
	if ch == nil {
		ch = &channel{name: name, stays: map[string][]*stay{}, present: map[string]*stay{}, users: map[string]int{}}
		t.channels[name] = ch
	}
	return ch
}

// at returns the event at seq in the partition of the channel.
func (t *truth) at(channel string, seq int64) (event, bool) {
	events := t.events[schema.PartitionOf(channel, len(t.log.Partitions))]
	i := indexAbove(events, seq-1, func(e event) int64 { return e.Offset })
	if i == len(events) || events[i].Offset != seq {
		return event{}, false
	}
	return events[i], true
}

func (t *truth) partitionOf(channel string) int {
	return schema.PartitionOf(channel, len(t.log.Partitions))
}

// end is the offset after the last event of the channel's partition.
func (t *truth) end(channel string) int64 {
	return t.ends[schema.PartitionOf(channel, len(t.log.Partitions))]
}
