package eventlog

import (
	"errors"
	"testing"
)

func TestUnknownTopic(t *testing.T) {
	c := startCluster(t).client(t)
	if _, err := c.TopicInfo(testContext(t), "test.no.such.topic"); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("TopicInfo says %v", err)
	}
}

func TestTopicIDChangesWithTheTopic(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 3)
	p.Close()
	before, err := c.TopicInfo(testContext(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	recreate(t, c, topic)
	after, err := c.TopicInfo(testContext(t), topic)
	if err != nil || after.ID == before.ID {
		t.Errorf("id %x became %x, %v", before.ID, after.ID, err)
	}
	if first, end, err := c.Offsets(testContext(t), topic, 0); err != nil || first != 0 || end != 0 {
		t.Errorf("the new log holds [%d, %d), %v", first, end, err)
	}
}
