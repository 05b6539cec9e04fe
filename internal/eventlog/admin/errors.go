package admin

import (
	"fmt"
	"strings"

	"github.com/parley-chat/parley/internal/eventlog"
)

// TopicError means that a topic has the wrong settings.
type TopicError struct {
	Topic   string
	Setting string // "partitions", or the name of a topic setting
	Have    string
	Want    string

	tool string // flags of Kafka's own tools
}

func (e *TopicError) Error() string {
	if e.Setting == partitionsSetting {
		return fmt.Sprintf("topic %s has %s partitions but %s are configured: configure %s, "+
			"the count cannot change once the topic is in use", e.Topic, e.Have, e.Want, e.Have)
	}
	return fmt.Sprintf("topic %s has %s=%s but needs %s: set it with %s",
		e.Topic, e.Setting, e.Have, e.Want, alterTopic(e.tool, e.Topic, e.Setting, e.Want))
}

// AlterTopic is the command of Kafka's own tools that changes a setting of a
// topic of the cluster.
func AlterTopic(c *eventlog.Client, topic, setting, value string) string {
	return alterTopic(c.ToolFlags(), topic, setting, value)
}

// alterTopic is the command that changes a setting of a topic.
func alterTopic(tool, topic, setting, value string) string {
	if strings.Contains(value, ",") {
		value = "[" + value + "]"
	}
	return fmt.Sprintf("kafka-configs.sh %s --alter --topic %s --add-config %s=%s", tool, topic, setting, value)
}
