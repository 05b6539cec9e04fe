package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
)

// limit is a bound of a broker's setting.
type limit struct {
	setting     string
	least, most int64 // 0: none
	severity    Severity
	otherwise   string // what it means when the bound is exceeded
}

const (
	sessionTimeout = 6000 // of members of consumer groups, in milliseconds
	day            = int64(24 * time.Hour / time.Millisecond)
	dayMinutes     = int64(24 * time.Hour / time.Minute)
)

// limits of every broker.
var limits = []limit{
	{setting: "broker.session.timeout.ms", most: 3000, severity: Warning,
		otherwise: "when a broker dies, every partition that it keeps waits for that long"},
	{setting: "group.min.session.timeout.ms", most: sessionTimeout, severity: Error,
		otherwise: "chat workers and projectors ask for 6000 and are refused"},
	{setting: "group.max.session.timeout.ms", least: sessionTimeout, severity: Error,
		otherwise: "chat workers and projectors ask for 6000 and are refused"},
	{setting: "group.initial.rebalance.delay.ms", most: 1000, severity: Warning,
		otherwise: "after a start nothing is delivered for that long"},
	{setting: "transactional.id.expiration.ms", least: 2 * day, severity: Error,
		otherwise: "a worker that was replaced may write again: ids are renewed every 24 h only"},
	{setting: "producer.id.expiration.ms", least: 2 * day, severity: Warning,
		otherwise: "a worker that was replaced may write again after a broker's restart: ids are renewed every 24 h only"},
	{setting: "offsets.retention.minutes", least: dayMinutes, severity: Warning,
		otherwise: "the lag of a group that was away is forgotten"},
}

// copies are settings that keep Kafka's own topics as safe as ours, where there
// are enough brokers.
var copies = []limit{
	{setting: "offsets.topic.replication.factor", least: production, severity: Warning,
		otherwise: "the loss of a machine may stop the consumer groups"},
	{setting: "transaction.state.log.replication.factor", least: production, severity: Warning,
		otherwise: "the loss of a machine may stop the chat workers"},
	{setting: "transaction.state.log.min.isr", least: 2, severity: Warning,
		otherwise: "the loss of a machine may let a worker write that was replaced"},
}

// checkBrokers checks the settings of every broker.
func (x *examination) checkBrokers(ctx context.Context) error {
	wanted := limits
	if n := len(x.brokers); n < production {
		x.find(Warning, "Kafka", fmt.Sprintf("run %d brokers and `--replication %d` where that matters", production, production))(
			"it has %d broker(s): the loss of a machine, or a power cut, loses acknowledged messages", n)
	} else {
		wanted = append(wanted[:len(wanted):len(wanted)], copies...)
	}
	for _, id := range x.brokers {
		subject := fmt.Sprint("broker ", id)
		have, err := admin.BrokerSettings(ctx, x.cfg.Kafka, id)
		if eventlog.IsRefused(err) {
			x.find(Note, subject, "grant the user DescribeConfigs on the cluster, or check them yourself")("its settings were not checked, because this user may not read them: %v", err)
			continue
		}
		if err != nil {
			return err
		}
		x.checkBroker(subject, have, wanted)
	}
	return nil
}

func (x *examination) checkBroker(subject string, have map[string]admin.Setting, wanted []limit) {
	var hidden []string
	for _, l := range wanted {
		s, told := have[l.setting]
		n, err := strconv.ParseInt(s.Value, 10, 64)
		switch {
		case !told || err != nil:
			hidden = append(hidden, l.setting)
		case l.most > 0 && n > l.most:
			x.find(l.severity, subject, fmt.Sprintf("set it to at most %d", l.most))("it has %s=%d: %s", l.setting, n, l.otherwise)
		case l.least > 0 && n < l.least:
			x.find(l.severity, subject, fmt.Sprintf("set it to at least %d", l.least))("it has %s=%d: %s", l.setting, n, l.otherwise)
		}
	}
	if s, told := have["auto.create.topics.enable"]; told && s.Value == "true" {
		x.find(Warning, subject, "set it to false")("it has auto.create.topics.enable=true: a topic that was deleted may come back by itself, with the wrong settings")
	}
	if len(hidden) > 0 {
		x.find(Note, subject, "")("it does not report %s: not checked", strings.Join(hidden, ", "))
	}
}

// Free space of a disk below which it is a finding.
const (
	littleFree   = 0.15
	tooLittle    = 0.05
	littleFreeIn = "delete what is not needed, or give it a larger disk: the log is kept for ever"
)

// checkDisks checks the free space where the brokers keep their logs.
func (x *examination) checkDisks(ctx context.Context) error {
	for _, id := range x.brokers {
		subject := fmt.Sprint("broker ", id)
		disks, err := admin.Disks(ctx, x.cfg.Kafka, id)
		if err != nil {
			x.find(Note, subject, "")("it does not report the free space of its disks: %v", err)
			continue
		}
		for _, d := range disks {
			if d.Total <= 0 {
				x.find(Note, subject, "")("it does not report the free space of its disk %s: not checked", d.Path)
				continue
			}
			x.checkFree(subject, d.Path, d.Free, d.Total)
		}
	}
	return nil
}

func (x *examination) checkFree(subject, path string, free, total int64) {
	share := float64(free) / float64(total)
	severity := Warning
	switch {
	case share >= littleFree:
		return
	case share < tooLittle:
		severity = Error
	}
	x.find(severity, subject, littleFreeIn)("of its disk %s, %.0f %% are free (%.1f GB): when it is full nothing is accepted any more", path, 100*share, float64(free)/1e9)
}
