package embedded

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// MaxPartitions is the most partitions of a topic that the broker creates. It is
// one process with one goroutine for all requests: with 100 partitions a start
// takes seconds, with 1,000 minutes. Topics that have more already stay.
const MaxPartitions = 100

// CheckPartitions reports that a log of n partitions is too much for the broker.
func CheckPartitions(n int) error {
	if n <= MaxPartitions {
		return nil
	}
	return fmt.Errorf("the embedded broker creates at most %d partitions, not %d: a log of more needs Apache Kafka", MaxPartitions, n)
}

// guardPartitions has the broker refuse requests to create a topic that is too
// large.
func guardPartitions(c *kfake.Cluster) {
	c.ControlKey(kmsg.CreateTopics.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.CreateTopicsRequest)
		var reason error
		for _, t := range req.Topics {
			if err := CheckPartitions(int(t.NumPartitions)); err != nil {
				reason = err
			}
		}
		if reason == nil {
			return nil, nil, false
		}
		answer := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, t := range req.Topics {
			refused := kmsg.NewCreateTopicsResponseTopic()
			refused.Topic, refused.ErrorCode, refused.ErrorMessage = t.Topic, kerr.InvalidPartitions.Code, kmsg.StringPtr(reason.Error())
			answer.Topics = append(answer.Topics, refused)
		}
		return answer, nil, true
	})
}
