package schema

import (
	"strconv"
	"strings"
)

// The topics.
const (
	TopicEvents  = "parley.events"
	TopicPush    = "parley.push"
	TopicState   = "parley.state"
	TopicControl = "parley.control"
	TopicRules   = "parley.rules"
	// Without these there are no signals, and all the rest works.
	TopicSignals    = "parley.signals"
	TopicSignalPush = "parley.signalpush"
	// Without it no events go out by HTTP, and all the rest works.
	TopicHooks = "parley.hooks"
	// What backends write for ingest to append, and what of it cannot be. Without these
	// there is no ingest, and all the rest works.
	TopicCommands = "parley.commands"
	TopicRejected = "parley.commands.rejected"
)

// Partition counts of parley.events, and of what has as many, at their
// creation. A log keeps the count it was created with.
const (
	LaptopPartitions     = 12
	ProductionPartitions = 48
)

const (
	pushRetentionMs    = 24 * 60 * 60 * 1000
	pushRetentionBytes = 4 << 30 // a partition
	// What is superseded stays for as long as its segment is open, by default a
	// week or 1 GiB, and whoever starts reads it. These are as short as hosted
	// clusters allow.
	compactedSegmentMs    = 4 * 60 * 60 * 1000
	compactedSegmentBytes = 50 << 20
	// Signals are of no use a moment later. Kafka deletes whole segments.
	signalRetentionMs  = 60 * 1000
	signalSegmentBytes = compactedSegmentBytes
	// Commands are gone before brokers forget what a group without members committed,
	// by default after a week: with their position lost they would be carried out again.
	// Kafka deletes whole segments, so these are short.
	commandRetentionMs = 6 * 24 * 60 * 60 * 1000
	commandSegmentMs   = compactedSegmentMs
)

// Topic is how a topic is created, and what is checked of it at every start.
type Topic struct {
	Name       string
	Partitions int
	Config     map[string]string
	// Initial are settings at its creation that an operator may change.
	Initial map[string]string
	// Optional: roles start without it.
	Optional bool
}

// Topics are all topics of a log with that many partitions. The events are
// kept for ever; state, control, rules and hooks keep the newest record of each key;
// pushes are kept for a day, signals for a minute, commands for six days.
func Topics(partitions int) []Topic {
	return []Topic{
		{Name: TopicEvents, Partitions: partitions, Config: map[string]string{
			"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
		}},
		{Name: TopicPush, Partitions: partitions, Config: map[string]string{
			"cleanup.policy":  "delete",
			"retention.ms":    strconv.Itoa(pushRetentionMs),
			"retention.bytes": strconv.Itoa(pushRetentionBytes),
		}},
		compacted(TopicState, partitions),
		compacted(TopicControl, 1),
		compacted(TopicRules, 1),
		fleeting(TopicSignals, partitions),
		fleeting(TopicSignalPush, partitions),
		optional(compacted(TopicHooks, partitions)),
		commands(TopicCommands, partitions),
		commands(TopicRejected, 1),
	}
}

func commands(name string, partitions int) Topic {
	return Topic{
		Name: name, Partitions: partitions, Optional: true,
		Config:  map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.Itoa(commandRetentionMs)},
		Initial: map[string]string{"segment.ms": strconv.Itoa(commandSegmentMs)},
	}
}

func fleeting(name string, partitions int) Topic {
	return Topic{
		Name: name, Partitions: partitions, Optional: true,
		Config:  map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.Itoa(signalRetentionMs)},
		Initial: map[string]string{"segment.bytes": strconv.Itoa(signalSegmentBytes)},
	}
}

func optional(t Topic) Topic {
	t.Optional = true
	return t
}

func compacted(name string, partitions int) Topic {
	return Topic{
		Name: name, Partitions: partitions,
		Config: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1", "retention.bytes": "-1"},
		Initial: map[string]string{
			"segment.ms": strconv.Itoa(compactedSegmentMs), "segment.bytes": strconv.Itoa(compactedSegmentBytes),
		},
	}
}

// LeaseTicks is after how many ticks of parley.control without a beat a connector
// is dead.
const LeaseTicks = 8

// Keys of parley.control. The value of a beat is a Beat, and so on.
const (
	ControlKeyClaim = "claim"
	ControlKeyTick  = "tick"
	ControlKeyEpoch = "epoch"
	// The value is a LogFormat.
	ControlKeyFormat = "format"
	// The value is a LogHistory.
	ControlKeyHistory = "history"
	controlBeat       = "beat/"
)

// ControlKeyBeat is the key under which a connector beats.
func ControlKeyBeat(connector string) string { return controlBeat + connector }

// ControlBeatOf is the connector of a beat's key; false for any other key.
func ControlBeatOf(key string) (connector string, ok bool) {
	return strings.CutPrefix(key, controlBeat)
}

// RulesKeyFormat is the key of a RulesFormat in parley.rules.
const RulesKeyFormat = "format"

// Beginnings of the other keys of parley.rules, which a name follows.
const (
	rulesRevoked      = "revoked/"
	rulesRevokedToken = "revoked-token/"
	rulesBarred       = "barred/"
	rulesGrant        = "grant/"
	rulesOrder        = "order/"
)

// RulesKeyRevoked is the key of a user's Revocation.
func RulesKeyRevoked(user string) string { return rulesRevoked + user }

// RulesRevokedOf is the user of a Revocation's key.
func RulesRevokedOf(key string) (user string, ok bool) { return strings.CutPrefix(key, rulesRevoked) }

// RulesKeyRevokedToken is the key of the TokenRevocation of a token's jti.
func RulesKeyRevokedToken(jti string) string { return rulesRevokedToken + jti }

// RulesRevokedTokenOf is the jti of a TokenRevocation's key.
func RulesRevokedTokenOf(key string) (jti string, ok bool) {
	return strings.CutPrefix(key, rulesRevokedToken)
}

// RulesKeyBarred is the key of a user's Bar.
func RulesKeyBarred(user string) string { return rulesBarred + user }

// RulesBarredOf is the user of a Bar's key.
func RulesBarredOf(key string) (user string, ok bool) { return strings.CutPrefix(key, rulesBarred) }

// RulesKeyGrant is the key of a user's UserGrants.
func RulesKeyGrant(user string) string { return rulesGrant + user }

// RulesGrantOf is the user of a UserGrants' key.
func RulesGrantOf(key string) (user string, ok bool) { return strings.CutPrefix(key, rulesGrant) }

// RulesKeyOrder is the key of an Order about a user's sessions.
func RulesKeyOrder(user string) string { return rulesOrder + user }

// RulesOrderOf is the user of an Order's key.
func RulesOrderOf(key string) (user string, ok bool) { return strings.CutPrefix(key, rulesOrder) }

// Keys of parley.state.
const (
	StateKeyClaim  = "claim"
	StateKeyMarker = "marker"

	stateConnector = "connector/"
	stateMember    = "member/"
	stateChannel   = "channel/"
	stateInfo      = "info/"
	stateWatch     = "watch/"
	stateSanction  = "sanction/"
	stateSettings  = "settings/"
	statePins      = "pins/"
)

// StateKeyConnector is the key of a StateConnector.
func StateKeyConnector(connector string) string { return stateConnector + connector }

// StateConnectorOf is the connector of a StateConnector's key.
func StateConnectorOf(key string) (connector string, ok bool) {
	return strings.CutPrefix(key, stateConnector)
}

// StateKeyMember is the key of a StateMember. Sessions hold no slash.
func StateKeyMember(session, channel string) string { return stateMember + session + "/" + channel }

// StateMemberOf is the session and the channel of a StateMember's key.
func StateMemberOf(key string) (session, channel string, ok bool) {
	rest, ok := strings.CutPrefix(key, stateMember)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// StateKeyChannel is the key of a StateChannel.
func StateKeyChannel(channel string) string { return stateChannel + channel }

// StateChannelOf is the channel of a StateChannel's key.
func StateChannelOf(key string) (channel string, ok bool) {
	return strings.CutPrefix(key, stateChannel)
}

// StateKeyInfo is the key of a StateInfo.
func StateKeyInfo(channel, user string) string { return stateInfo + channel + userOf + user }

// StateInfoOf is the channel and the user of a StateInfo's key.
func StateInfoOf(key string) (channel, user string, ok bool) { return cutUser(stateInfo, key) }

// StateKeySanction is the key of a StateSanction.
func StateKeySanction(channel, user string) string { return stateSanction + channel + userOf + user }

// StateSanctionOf is the channel and the user of a StateSanction's key.
func StateSanctionOf(key string) (channel, user string, ok bool) { return cutUser(stateSanction, key) }

// userOf is between a channel and a user: no name holds control characters.
const userOf = "\x00"

func cutUser(prefix, key string) (channel, user string, ok bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, userOf)
}

// StateKeyWatch is the key of a StateWatch. Connectors hold no slash.
func StateKeyWatch(connector, channel string) string { return stateWatch + connector + "/" + channel }

// StateWatchOf is the connector and the channel of a StateWatch's key.
func StateWatchOf(key string) (connector, channel string, ok bool) {
	rest, ok := strings.CutPrefix(key, stateWatch)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// StateKeySettings is the key of a channel's StateSettings.
func StateKeySettings(channel string) string { return stateSettings + channel }

// StateSettingsOf is the channel of a StateSettings' key.
func StateSettingsOf(key string) (channel string, ok bool) {
	return strings.CutPrefix(key, stateSettings)
}

// StateKeyPins is the key of a channel's StatePins.
func StateKeyPins(channel string) string { return statePins + channel }

// StatePinsOf is the channel of StatePins' key.
func StatePinsOf(key string) (channel string, ok bool) { return strings.CutPrefix(key, statePins) }
