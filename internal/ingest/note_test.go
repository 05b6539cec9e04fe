package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema/rpc"
)

// waysOfNotes is, by the version of a note, what the one who reads it relies on: how much
// the one who wrote it may have had under way, what each command counts for in that, and
// under which ids commands act that have none.
var waysOfNotes = map[string]string{
	"1": `8192 events, 4194304 bytes
ban weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
broadcast weighs 2: {Channel:a Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ} {Channel:b Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
broadcast, far too wide weighs 1000:
broadcast, rejected weighs 3:
broadcast, to nobody weighs 1:
delete weighs 1: {Channel:a Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
edit weighs 1: {Channel:a Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
kick weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
lift weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
mute weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
pin weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
publish weighs 1: {Channel:a Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
publish, rejected weighs 1:
purge weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
react weighs 1: {Channel:a Key:false Backend:true Actor:ada ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
set weighs 1: {Channel:a Key:true Backend:true Actor:k ID:YQNOT5OTJEUCRDOV5CPUIEVVQQ}
unknown weighs 1:
`,
}

// commandsOfNotes are commands of every method, and such as are rejected.
func commandsOfNotes() map[string]string {
	const on = `{"channel":"a","user":"ada"`
	return map[string]string{
		"publish":                 on + `,"body":"x"}`,
		"publish, rejected":       on + `}`,
		"broadcast":               `{"channels":["a","b"],"user":"ada","body":"x"}`,
		"broadcast, rejected":     `{"channels":["a","b","c"],"user":"ada"}`,
		"broadcast, to nobody":    `{"channels":[],"user":"ada","body":"x"}`,
		"broadcast, far too wide": `{"channels":[` + strings.TrimSuffix(strings.Repeat(`"a",`, rpc.MaxBroadcast+500), ",") + `],"user":"ada"}`,
		"edit":                    on + `,"seq":7,"body":"x"}`,
		"delete":                  on + `,"seq":7}`,
		"react":                   on + `,"seq":7,"name":"+1"}`,
		"pin":                     `{"channel":"a","seq":7}`,
		"mute":                    on + `,"for":1000}`,
		"ban":                     on + `}`,
		"kick":                    on + `}`,
		"lift":                    on + `,"action":"ban"}`,
		"purge":                   on + `}`,
		"set":                     `{"channel":"a","slow":1}`,
		"unknown":                 `{}`,
	}
}

// A change of what notes stand for needs another noteVersion: else an owner of before or
// after an upgrade looks for too little, and commands are carried out again.
func TestNotesStandForOneWay(t *testing.T) {
	i, err := New(Config{ClickHouse: "clickhouse://127.0.0.1:1/default"})
	if err != nil {
		t.Fatal(err)
	}
	d := decoder{topic: [16]byte{1}, key: "k", limits: &i.cfg.Limits}
	commands := commandsOfNotes()
	for _, method := range methods {
		if _, is := commands[method]; !is && method != otherMethod {
			t.Errorf("there is no command of method %s here", method)
		}
	}
	var names []string
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	var way strings.Builder
	fmt.Fprintf(&way, "%d events, %d bytes\n", maxOpenEvents, maxOpenBytes)
	for _, name := range names {
		method, _, _ := strings.Cut(name, ",")
		c, bad := d.decode(2, &eventlog.Record{Offset: 3, Value: fmt.Appendf(nil, `{"method":%q,"params":%s}`, method, commands[name])})
		if (bad != nil) != (name != method || name == "unknown") {
			t.Errorf("%s is rejected: %v", name, bad)
		}
		fmt.Fprintf(&way, "%s weighs %d:", name, c.weight)
		for n := range c.acts {
			act, _ := c.acts[n].Event.Act()
			fmt.Fprintf(&way, " %+v", act)
		}
		way.WriteByte('\n')
	}
	if way.String() != waysOfNotes[noteVersion] {
		t.Errorf("notes of version %q stand for another way now. Give noteVersion a new value and record this under it; leave what is recorded of released versions as it is:\n%s", noteVersion, &way)
	}
}

// A note says what was put into it, whatever keys are called.
func TestNote(t *testing.T) {
	want := note{epoch: "e", topic: "0f", ends: []int64{0, 7, 1 << 40}, keys: []string{"ingest", "a b,c +%", "späti ☕"}}
	text, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeNote(text)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
	}
	for _, text := range []string{"", "1", "0 e 0f 0 k", "1 e 0f 0", "1 e 0f ! k", "1 e 0f -1 k", "1 e 0f 0 %", "1 e 0f 0 k k"} {
		if n, err := decodeNote(text); err == nil {
			t.Errorf("%q is a note: %+v", text, n)
		}
	}
}
