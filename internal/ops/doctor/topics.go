package doctor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

const (
	// production is how many brokers make the loss of one bearable.
	production = 3
	// largestBatch is what producers send at most.
	largestBatch = 900 << 10
	// longestSegment is how long a record of a compacted topic may lie in an
	// open segment, which compaction leaves alone, in milliseconds.
	longestSegment = 24 * 60 * 60 * 1000
)

// checkTopics compares every topic with how the roles would create it.
func (x *examination) checkTopics(ctx context.Context) (err error) {
	if x.brokers, err = admin.Brokers(ctx, x.cfg.Kafka); err != nil {
		return err
	}
	var missing []string
	for _, name := range topicNames() {
		found, err := admin.Partitions(ctx, x.cfg.Kafka, name)
		if errors.Is(err, eventlog.ErrUnknownTopic) {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return err
		}
		x.topics[name] = found
	}
	if err := x.reportMissing(ctx, missing); err != nil {
		return err
	}
	count := len(x.topics[schema.TopicEvents])
	for _, want := range schema.Topics(max(1, count)) {
		found, ok := x.topics[want.Name]
		if !ok {
			continue
		}
		if want.Optional {
			if err := x.checkOptional(ctx, want, found, count); err != nil {
				return err
			}
			continue
		}
		if len(found) != want.Partitions && (count > 0 || want.Name == schema.TopicControl || want.Name == schema.TopicRules) {
			x.find(Error, "topic "+want.Name, "restore the topic with the count it was created with, or begin a new epoch with `parley epoch new`")(
				"it has %d partitions and needs %d, as %s has %d: no role starts", len(found), want.Partitions, schema.TopicEvents, count)
		}
		if err := x.checkTopic(ctx, want, found); err != nil {
			return err
		}
	}
	return nil
}

// reportMissing distinguishes a lost log from topics that the roles create.
func (x *examination) reportMissing(ctx context.Context, missing []string) error {
	for _, name := range missing {
		if name == schema.TopicControl && x.begun(ctx) {
			x.find(Error, "topic "+name, "restart a connector, which creates it again, and then the chat workers")("it is gone, and the log is there: connectors that crash are not noticed, and chat workers are not ready")
			continue
		}
		mend := "start a connector or a projector, or run `parley topics create`"
		if isOptional(name) && x.begun(ctx) {
			x.find(Warning, "topic "+name, "run `parley topics create`")("it is missing: %s, and all the rest works", epoch.Without(name))
			continue
		}
		if name == schema.TopicEvents || len(x.topics[schema.TopicEvents]) == 0 {
			before, err := x.epochBefore(ctx)
			switch {
			case err != nil:
				return err
			case before != "" && name == schema.TopicEvents:
				x.find(Error, "topic "+name, "restore it, or begin a new epoch with `parley epoch new`")("the log of epoch %s is gone", before)
				continue
			case before != "":
				mend = "restore the log first"
			}
		}
		x.find(Warning, "topic "+name, mend)("it is missing")
	}
	return nil
}

// begun reports whether there is a log.
func (x *examination) begun(ctx context.Context) bool {
	if len(x.topics[schema.TopicEvents]) == 0 {
		return false
	}
	_, err := epoch.Inspect(ctx, x.cfg.Kafka)
	return err == nil
}

func isOptional(name string) bool {
	return slices.ContainsFunc(schema.Topics(1), func(t schema.Topic) bool { return t.Name == name && t.Optional })
}

// checkOptional checks a topic that the log can do without.
func (x *examination) checkOptional(ctx context.Context, want schema.Topic, found []admin.Partition, count int) error {
	kept, excess := "nothing in it is kept for longer than a minute", "it takes more room than it needs, as signals are of no use after a minute"
	switch want.Name {
	case schema.TopicCommands:
		kept, excess = "have `parley ingest` carry out before what is in it", "commands are to be kept for six days: less long than brokers keep what a group without members committed"
	case schema.TopicRejected:
		kept, excess = "nobody needs what is in it", "rejected commands are to be kept for six days"
	case schema.TopicHooks:
		kept, excess = "the hooks of every name are new ones then, and begin where --from says", "Kafka may delete how far the hooks are, and they would be new ones"
	}
	if len(found) != want.Partitions && count > 0 {
		x.find(Warning, "topic "+want.Name, "delete it, and run `parley topics create`: "+kept)(
			"it has %d partitions and needs %d, as %s has: %s, and all the rest works", len(found), want.Partitions, schema.TopicEvents, epoch.Without(want.Name))
	}
	have, err := admin.TopicSettings(ctx, x.cfg.Kafka, want.Name)
	if err != nil {
		return err
	}
	t := &topicCheck{x, want.Name, have, nil}
	for _, setting := range slices.Sorted(maps.Keys(want.Config)) {
		t.is(setting, want.Config[setting], Warning, excess)
	}
	if want.Name == schema.TopicCommands {
		t.atMost("segment.ms", longestSegment, Warning, "commands are there for that much longer, and may be carried out again when brokers have forgotten the position of `parley ingest`")
	}
	t.untold()
	return nil
}

// checkTopic checks the settings of one topic.
func (x *examination) checkTopic(ctx context.Context, want schema.Topic, found []admin.Partition) error {
	have, err := admin.TopicSettings(ctx, x.cfg.Kafka, want.Name)
	if err != nil {
		return err
	}
	t := &topicCheck{x, want.Name, have, nil}
	for _, setting := range slices.Sorted(maps.Keys(want.Config)) {
		t.exactly(setting, want.Config[setting])
	}
	t.is("unclean.leader.election.enable", "false", Error, "a replica that misses acknowledged messages may become the leader: they are lost")
	t.is("message.timestamp.type", "CreateTime", Warning, "records do not carry the time at which they were written")
	t.atLeast("max.message.bytes", largestBatch, Error, "a producer's batch may be refused forever")
	if want.Config["cleanup.policy"] == "compact" {
		t.atMost("segment.ms", longestSegment, Warning, "what is superseded stays in the open segment for that long, and every start reads it")
	}
	t.replication(found)
	t.untold()
	return nil
}

// topicCheck checks one topic.
type topicCheck struct {
	x      *examination
	name   string
	have   map[string]admin.Setting
	hidden []string // settings that the broker does not report
}

// mend is the command that sets a topic's setting.
func (t *topicCheck) mend(setting, value string) string {
	return "set it with " + admin.AlterTopic(t.x.cfg.Kafka, t.name, setting, value)
}

func (t *topicCheck) find(severity Severity, mend string) func(string, ...any) {
	return t.x.find(severity, "topic "+t.name, mend)
}

func (t *topicCheck) tells(setting string) (string, bool) {
	s, ok := t.have[setting]
	if !ok {
		t.hidden = append(t.hidden, setting)
	}
	return s.Value, ok
}

// exactly asks for a value that was set for this topic: a default may change
// under it.
func (t *topicCheck) exactly(setting, value string) {
	have, ok := t.tells(setting)
	switch {
	case !ok:
	case have != value:
		t.find(Error, t.mend(setting, value))("it has %s=%s and needs %s: no role starts", setting, have, value)
	case !t.have[setting].Own:
		t.find(Warning, t.mend(setting, value))("it has %s=%s by a default of the cluster, which may change", setting, have)
	}
}

func (t *topicCheck) is(setting, value string, severity Severity, otherwise string) {
	if have, ok := t.tells(setting); ok && have != value {
		t.find(severity, t.mend(setting, value))("it has %s=%s: %s", setting, have, otherwise)
	}
}

func (t *topicCheck) atLeast(setting string, least int64, severity Severity, otherwise string) {
	if have, ok := t.number(setting); ok && have < least {
		t.find(severity, t.mend(setting, strconv.FormatInt(least, 10)))("it has %s=%d: %s", setting, have, otherwise)
	}
}

func (t *topicCheck) atMost(setting string, most int64, severity Severity, otherwise string) {
	if have, ok := t.number(setting); ok && have > most {
		t.find(severity, t.mend(setting, strconv.FormatInt(most, 10)))("it has %s=%d: %s", setting, have, otherwise)
	}
}

func (t *topicCheck) number(setting string) (int64, bool) {
	text, ok := t.tells(setting)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// replication compares the copies of a topic with the brokers there are.
func (t *topicCheck) replication(found []admin.Partition) {
	copies := len(found[0].Replicas)
	for _, p := range found {
		copies = min(copies, len(p.Replicas))
	}
	insync, told := t.number("min.insync.replicas")
	switch {
	case len(t.x.brokers) < production:
		return // checkBrokers reports it
	case copies < production:
		t.find(Error, "raise it with kafka-reassign-partitions.sh "+t.x.cfg.Kafka.ToolFlags())(
			"a partition of it has %d replicas and needs %d: acknowledged messages do not survive the loss of a machine", copies, production)
	case told && insync < 2:
		t.find(Error, t.mend("min.insync.replicas", "2"))(
			"it has min.insync.replicas=%d: a message may be acknowledged that only one machine has", insync)
	case told && insync >= int64(copies):
		t.find(Warning, t.mend("min.insync.replicas", "2"))(
			"it has min.insync.replicas=%d of %d copies: chat stops while one broker is down", insync, copies)
	}
}

// untold notes what the broker does not report.
func (t *topicCheck) untold() {
	if len(t.hidden) > 0 {
		t.find(Note, "")("the broker does not report %s: not checked", strings.Join(t.hidden, ", "))
	}
}

// checkReplicas looks for partitions without a leader or an in-sync replica.
func (x *examination) checkReplicas(context.Context) error {
	for _, name := range topicNames() {
		var leaderless, behind []int
		for _, p := range x.topics[name] {
			if p.Leader < 0 {
				leaderless = append(leaderless, p.ID)
			} else if len(p.InSync) < len(p.Replicas) {
				behind = append(behind, p.ID)
			}
		}
		if len(leaderless) > 0 {
			x.find(Error, "topic "+name, "start the brokers that keep them")("partitions %v have no leader: nothing can be read or written there", leaderless)
		}
		if len(behind) > 0 {
			x.find(Warning, "topic "+name, "start or repair the brokers that are missing")("partitions %v are under-replicated: not every replica has all of them", behind)
		}
	}
	return nil
}
