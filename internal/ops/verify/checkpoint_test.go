package verify

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// What a torn flush explains is not settled; what it does not is a difference.
func TestTornFlush(t *testing.T) {
	const next = 100
	connector := func(offset int64) []byte { return value(t, &schema.StateConnector{Offset: offset}) }
	last := func(seq int64) []byte { return value(t, &schema.StateChannel{Last: seq}) }
	c, ch := schema.StateKeyConnector("c"), schema.StateKeyChannel("lobby")
	for name, x := range map[string]struct {
		stored           map[string][]byte // at the marker
		behind           map[string][]byte // after it
		found, unsettled int
	}{
		"equal":                        {stored: map[string][]byte{c: connector(90), ch: last(80)}},
		"newer stamp below the marker": {stored: map[string][]byte{c: connector(95), ch: last(80)}},
		"torn, and equal otherwise":    {stored: map[string][]byte{c: connector(120), ch: last(80)}},
		"torn, with facts of later":    {stored: map[string][]byte{c: connector(120), ch: last(110)}, unsettled: 1},
		"different":                    {stored: map[string][]byte{c: connector(90), ch: last(70)}, found: 1},
		"different, being rewritten":   {stored: map[string][]byte{c: connector(90), ch: last(70)}, behind: map[string][]byte{ch: last(110)}},
		"missing, being rewritten":     {stored: map[string][]byte{c: connector(90)}, behind: map[string][]byte{ch: last(110)}},
		"older stamp":                  {stored: map[string][]byte{c: connector(89), ch: last(80)}, found: 1},
	} {
		stored := newCheckpoint()
		add := func(records map[string][]byte) {
			for key, v := range records {
				if err := stored.add(key, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		add(x.stored)
		add(map[string][]byte{schema.StateKeyMarker: value(t, &schema.StateMarker{Next: next})})
		add(x.behind)
		report := &Report{}
		check := &stateCheck{stored: stored, want: map[string][]byte{c: connector(90), ch: last(80)}, out: &collector{report: report, keep: 10}}
		check.run()
		if int(report.Found) != x.found || len(report.Unsettled) != x.unsettled {
			t.Errorf("%s: %v, not settled: %v; want %d and %d", name, report.Differences, report.Unsettled, x.found, x.unsettled)
		}
	}
}

// All differences are counted, and the first ones kept.
func TestReportIsBounded(t *testing.T) {
	r := &Report{}
	out := &collector{report: r, keep: 3}
	for i := range 10 {
		out.differ(PlaceHistory, 1, int64(i), "lobby", "x")
	}
	if r.Found != 10 || len(r.Differences) != 3 || r.Equal() {
		t.Errorf("%+v", r)
	}
	if got, want := r.Differences[2].String(), `history, partition 1, offset 2, channel "lobby": x`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func value(t *testing.T, m proto.Message) []byte {
	t.Helper()
	v, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every key of the state is compared: one that is missing, extra or different is
// found.
func TestEveryKeyIsCompared(t *testing.T) {
	for key, values := range map[string][2]proto.Message{
		schema.StateKeyConnector("c"):           {&schema.StateConnector{PushPartition: 1}, &schema.StateConnector{PushPartition: 2}},
		schema.StateKeyMember("s", "lobby"):     {&schema.StateMember{User: "ann"}, &schema.StateMember{User: "bob"}},
		schema.StateKeyChannel("lobby"):         {&schema.StateChannel{Clast: 1}, &schema.StateChannel{Clast: 2}},
		schema.StateKeyInfo("lobby", "ann"):     {&schema.StateInfo{Info: []byte("1")}, &schema.StateInfo{Info: []byte("2")}},
		schema.StateKeySanction("lobby", "ann"): {&schema.StateSanction{Ban: &schema.InForce{Seq: 1}}, &schema.StateSanction{Mute: &schema.InForce{Seq: 1}}},
		schema.StateKeyWatch("c", "lobby"):      {&schema.StateWatch{Offset: 1}, &schema.StateWatch{Offset: 2}},
		schema.StateKeySettings("lobby"):        {&schema.StateSettings{Topic: "x"}, &schema.StateSettings{Topic: "y"}},
		schema.StateKeyPins("lobby"):            {&schema.StatePins{Targets: []int64{1, 2}}, &schema.StatePins{Targets: []int64{2, 1}}},
	} {
		want, other := value(t, values[0]), value(t, values[1])
		for name, stored := range map[string][]byte{"equal": want, "different": other, "missing": nil, "damaged": []byte("\xff")} {
			if found := compareKey(t, key, want, stored); (found > 0) != (name != "equal") {
				t.Errorf("%q, %s: %d differences", key, name, found)
			}
		}
		if found := compareKey(t, key, nil, want); found == 0 {
			t.Errorf("%q, extra: no difference", key)
		}
	}
}

func compareKey(t *testing.T, key string, want, stored []byte) int64 {
	t.Helper()
	c := newCheckpoint()
	for _, r := range []struct {
		key   string
		value []byte
	}{{key, stored}, {schema.StateKeyMarker, value(t, &schema.StateMarker{Next: 100})}} {
		if err := c.add(r.key, r.value); err != nil {
			t.Fatal(err)
		}
	}
	report := &Report{}
	all := map[string][]byte{}
	if want != nil {
		all[key] = want
	}
	(&stateCheck{stored: c, want: all, out: &collector{report: report, keep: 10}}).run()
	return report.Found
}
