package verify_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/ops/verify"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// What the roles made of a log is equal; whatever is altered in one of the
// places is found there.
func TestVerify(t *testing.T) {
	s := newSystem(t)
	s.talk()
	s.settle()
	clean := s.verify()
	if !clean.Equal() || clean.Rows == 0 || clean.Members == 0 || clean.Events == 0 {
		t.Fatalf("nothing was altered, and the report is %+v", clean)
	}
	s.exec("CREATE TABLE backup AS events_1")
	s.exec("INSERT INTO backup SELECT * FROM events_1")
	for _, c := range []struct {
		name   string
		alter  string // a statement on the rows of the lobby
		place  string
		offset int64
		want   string
	}{
		{"changed body", "ALTER TABLE events_1 UPDATE body = 'x' WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"], "differs from the event in body"},
		{"changed user", "ALTER TABLE events_1 UPDATE user = 'eve' WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"], "differs from the event in user"},
		{"made void", "ALTER TABLE events_1 UPDATE void = 1 WHERE id = 'm2' AND void = 0", verify.PlaceHistory, s.at["m2"], "in void"},
		{"made public", `ALTER TABLE events_1 UPDATE "to" = '' WHERE id = 'm3'`, verify.PlaceHistory, s.at["m3"], "in to"},
		{"chain", "ALTER TABLE events_1 DELETE WHERE id = 'm2'", verify.PlaceHistory, verify.None, "a chain of"},
		{"missing chat", "ALTER TABLE events_1 DELETE WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"], "the chat has no row"},
		{"missing join", "ALTER TABLE events_1 DELETE WHERE session = 's1' AND kind = 'join'", verify.PlaceHistory, s.at["s1"], "the join has no row"},
		{"moved", "INSERT INTO events_1 SELECT * REPLACE (seq + 1000 AS seq) FROM backup WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"] + 1000, "beyond the log"},
		{"of no event", "INSERT INTO events_1 SELECT * REPLACE (0 AS seq) FROM backup WHERE id = 'm2'", verify.PlaceHistory, 0, "no such event"},
		{"in another channel too", "INSERT INTO events_1 SELECT * REPLACE ('other' AS channel) FROM backup WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"], "no such event"},
		{"repeated with other content", "INSERT INTO events_1 SELECT * REPLACE ('x' AS body) FROM backup WHERE id = 'm2'", verify.PlaceHistory, s.at["m2"], "in body"},
		{"edit to other data", "ALTER TABLE events_1 UPDATE data = '[]' WHERE id = 'e1'", verify.PlaceHistory, s.at["e1"], "differs from the event in data"},
		{"purge without its beginning", "ALTER TABLE events_1 UPDATE since = NULL WHERE id = 'purge'", verify.PlaceHistory, s.at["purge"], "differs from the event in since"},
		{"missing sanction", "ALTER TABLE events_1 DELETE WHERE id = 'mute'", verify.PlaceHistory, s.at["mute"], "the sanction has no row"},
		{"of an unknown epoch", "INSERT INTO events_1 SELECT * REPLACE ('foreign' AS epoch) FROM backup WHERE id = 'm2'", verify.PlaceEpoch, verify.None, "of epoch foreign"},
		{"of an unknown partition", "INSERT INTO events_1 SELECT * REPLACE (77 AS partition) FROM backup WHERE id = 'm2'", verify.PlaceEpoch, verify.None, "partitions that the log does not have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.exec(c.alter + mutate(c.alter))
			s.expect(t, c.place, c.offset, c.want)
			s.exec("TRUNCATE TABLE events_1")
			s.exec("INSERT INTO events_1 SELECT * FROM backup")
		})
	}
	t.Run("repeated rows are not a difference", func(t *testing.T) {
		s.exec("INSERT INTO events_1 SELECT * FROM backup")
		if r := s.verify(); !r.Equal() {
			t.Errorf("the report is %+v", r)
		}
	})
}

// The changes of messages, which are stored a second time, are the events'.
func TestVerifyChanges(t *testing.T) {
	s := newSystem(t)
	s.talk()
	s.settle()
	s.exec("CREATE TABLE backup AS changes_1")
	s.exec("INSERT INTO backup SELECT * FROM changes_1")
	for _, c := range []struct {
		name   string
		alter  string
		offset int64
		want   string
	}{
		{"another text", "ALTER TABLE changes_1 UPDATE body = 'x' WHERE id = 'e1'", s.at["e1"], "differs from its event"},
		{"missing", "ALTER TABLE changes_1 DELETE WHERE id = 'd1'", s.at["d1"], "is not among the changes"},
		{"missing purge of a ban", "ALTER TABLE changes_1 DELETE WHERE id = 'ban'", s.at["ban"], "is not among the changes"},
		{"of another message", "INSERT INTO changes_1 SELECT * REPLACE (target + 1 AS target) FROM backup WHERE id = 'd1'", s.at["d1"], "differs from its event"},
		{"of no event", "INSERT INTO changes_1 SELECT * REPLACE (0 AS seq) FROM backup WHERE id = 'd1'", 0, "no such event"},
		{"beyond the log", "INSERT INTO changes_1 SELECT * REPLACE (seq + 1000 AS seq) FROM backup WHERE id = 'd1'", s.at["d1"] + 1000, "beyond the log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.exec(c.alter + mutate(c.alter))
			s.expect(t, verify.PlaceHistory, c.offset, c.want)
			s.exec("TRUNCATE TABLE changes_1")
			s.exec("INSERT INTO changes_1 SELECT * FROM backup")
		})
	}
	s.exec("INSERT INTO changes_1 SELECT * FROM backup")
	if r := s.verify(); !r.Equal() {
		t.Errorf("rows that repeat: %+v", r)
	}
}

// mutate makes a mutation wait until it is done.
func mutate(statement string) string {
	if strings.HasPrefix(statement, "ALTER") {
		return " SETTINGS mutations_sync = 2"
	}
	return ""
}

func TestVerifyWatermarks(t *testing.T) {
	s := newSystem(t)
	s.talk()
	s.settle()
	s.exec("INSERT INTO watermarks_1 SELECT * REPLACE (seq + 500 AS seq) FROM watermarks_1 WHERE partition = 1")
	s.expect(t, verify.PlaceHistory, s.end(1)-1+500, "the watermark is beyond the log")
	s.exec("ALTER TABLE watermarks_1 DELETE WHERE seq >= 500 SETTINGS mutations_sync = 2")
	s.exec("ALTER TABLE watermarks_1 UPDATE digest = digest + 1 WHERE partition = 1 SETTINGS mutations_sync = 2")
	s.expect(t, verify.PlaceHistory, s.end(1)-1, "grew again")
}

func TestVerifyCheckpoints(t *testing.T) {
	s := newSystem(t)
	s.talk()
	s.settle()
	p := s.partition("lobby")
	value := s.state(p)
	member := schema.StateKeyMember("s1", "lobby")
	other := encode(t, &schema.StateMember{Channel: "lobby", Session: "s9", User: "eve", Connector: "c", Offset: 1})
	marker := new(schema.StateMarker)
	decode(t, value[schema.StateKeyMarker], marker)
	foreign, elsewhere, regrown := proto.CloneOf(marker), proto.CloneOf(marker), proto.CloneOf(marker)
	foreign.Epoch, elsewhere.Next, regrown.Digest = "foreign", marker.Next+100, marker.Digest+1
	for _, c := range []struct {
		name, key string
		value     []byte
		place     string
		want      string
	}{
		{"missing member", member, nil, verify.PlaceCheckpoint, "session s1 is a member and is missing"},
		{"extra member", schema.StateKeyMember("s9", "lobby"), other, verify.PlaceCheckpoint, "session s9 is present and is not a member"},
		{"changed member", member, other, verify.PlaceCheckpoint, "the membership of session s1 is another one"},
		{"changed last", schema.StateKeyChannel("lobby"), encode(t, &schema.StateChannel{Last: 1}), verify.PlaceCheckpoint, "the newest public message is at"},
		{"old stamp", schema.StateKeyConnector("c"), encode(t, &schema.StateConnector{PushPartition: 2, Offset: 1}), verify.PlaceCheckpoint, "is stamped (1, 0)"},
		{"missing connector", schema.StateKeyConnector("c"), nil, verify.PlaceCheckpoint, "connector c is missing"},
		{"extra connector", schema.StateKeyConnector("gone"), encode(t, &schema.StateConnector{Offset: 1}), verify.PlaceCheckpoint, "connector gone is present"},
		{"foreign epoch", schema.StateKeyMarker, encode(t, foreign), verify.PlaceEpoch, "the checkpoint is of epoch foreign"},
		{"beyond the log", schema.StateKeyMarker, encode(t, elsewhere), verify.PlaceCheckpoint, "the marker is beyond the log"},
		{"another record", schema.StateKeyMarker, encode(t, regrown), verify.PlaceCheckpoint, "grew again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.writeState(p, c.key, c.value, value[schema.StateKeyMarker])
			s.expect(t, c.place, verify.None, c.want)
			s.writeState(p, c.key, value[c.key], value[schema.StateKeyMarker])
			if r := s.verify(); !r.Equal() {
				t.Fatalf("fixed, and the report is %+v", r)
			}
		})
	}
	t.Run("flush under way", func(t *testing.T) {
		s.produce(schema.TopicState, p, member, nil) // and no marker after it
		if r := s.verify(); !r.Equal() {
			t.Errorf("the report is %+v", r)
		}
	})
}

func TestVerifyEpochs(t *testing.T) {
	s := newSystem(t)
	s.talk()
	s.settle()
	own := encode(t, &schema.LogEpoch{Epoch: s.log.Epoch, TopicId: s.log.TopicID[:], Partitions: partitions})
	for want, e := range map[string]*schema.LogEpoch{
		"remembers epoch foreign":    {Epoch: "foreign", TopicId: s.log.TopicID[:], Partitions: partitions},
		"remembers the log as topic": {Epoch: s.log.Epoch, TopicId: make([]byte, 16), Partitions: partitions},
		"remembers 5 partitions":     {Epoch: s.log.Epoch, TopicId: s.log.TopicID[:], Partitions: 5},
	} {
		s.produce(schema.TopicControl, 0, schema.ControlKeyEpoch, encode(t, e))
		s.expect(t, verify.PlaceEpoch, verify.None, want)
	}
	s.produce(schema.TopicControl, 0, schema.ControlKeyEpoch, own)
	if err := s.db.AddEpoch(s.ctx, clickhouse.Epoch{Name: "foreign", TopicID: "00", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	s.expect(t, verify.PlaceEpoch, verify.None, "the newest epoch in ClickHouse is foreign")
}

// On a live system nothing differs, whenever it is looked at.
func TestVerifyWhileItRuns(t *testing.T) {
	s := newSystem(t)
	s.roles()
	talking, stop := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for talking.Err() == nil {
			s.talk()
		}
	}()
	defer func() { stop(); <-done }()
	var rows, members int64
	await.That(t, "the roles work", func() bool {
		r := s.verify()
		return r.Rows > 0 && r.Members > 0
	})
	until := time.Now().Add(3 * time.Second)
	for n := 0; n < 3 || rows == 0 || members == 0 || time.Now().Before(until); n++ {
		r := s.verify()
		if r.Found > 0 {
			t.Fatalf("run %d: %+v", n, r)
		}
		rows, members = rows+r.Rows, members+r.Members // of one moment there may be none
	}
}

// expect verifies and looks for a difference; an offset of None means any.
func (s *system) expect(t *testing.T, place string, offset int64, want string) {
	t.Helper()
	r := s.verify()
	if !slices.ContainsFunc(r.Differences, func(d verify.Difference) bool {
		return d.Place == place && (offset == verify.None || d.Offset == offset) && strings.Contains(d.What, want)
	}) {
		t.Errorf("no difference in %s at %d says %q; there are %d: %v", place, offset, want, r.Found, r.Differences)
	}
	if r.Equal() {
		t.Error("the report says that all is equal")
	}
}
