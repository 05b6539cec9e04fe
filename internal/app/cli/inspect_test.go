package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// What an operator can look at while `parley up` runs and people talk.
func TestLookingAtARunningSystem(t *testing.T) {
	embeddedtest.NeedEngine(t)
	data := t.TempDir()
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", data, "--partitions", "3")
	chat := up.find(`(?m)^  chat +http://(\S+)$`)
	talk(t, chat)
	repeat(t, data)
	for name, look := range map[string]func(*testing.T, string){
		"topics": lookAtTopics, "tail": lookAtTail, "history": lookAtHistory, "format": lookAtFormat, "doctor": lookAtDoctor, "hooks": skipHooks,
	} {
		t.Run(name, func(t *testing.T) { look(t, data) })
	}
	follow := begin(t, "tail", "--data", data, "--channel", "lobby", "--follow", "--from", "beginning")
	follow.find(`"kind":"chat"`)
	follow.signal(os.Interrupt)
	if code := follow.exitCode(); code != 0 {
		t.Errorf("tail --follow ends with %d after Ctrl-C:\n%s", code, follow.said())
	}
}

// talk lets ada and bob meet: three public messages and a private one.
func talk(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ada *client.Client
	for _, user := range []string{"bob", "ada"} {
		c, _, err := client.Enter(ctx, "ws://"+addr+"/ws", user)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Cut)
		if err := c.Call(ctx, rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}, nil); err != nil {
			t.Fatal(err)
		}
		ada = c
	}
	for _, m := range []rpc.ChatParams{
		{ID: "1", Body: "hello"}, {ID: "2", Body: "again"}, {ID: "3", Body: "\x1b[31mred"}, {ID: "4", Body: "psst", To: "bob"},
	} {
		m.Channel = "lobby"
		if err := ada.Call(ctx, rpc.MethodChat, m, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// repeat appends ada's second message once more, as a connector may that does
// not know that it was taken.
func repeat(t *testing.T, data string) {
	t.Helper()
	addresses, err := stack.ReadAddresses(data)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := addresses.Log()
	if err != nil {
		t.Fatal(err)
	}
	kafka, err := eventlog.New(cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	value, err := proto.Marshal(&schema.Event{Time: time.Now().UnixMilli(), Connector: "another", Counter: 1, Kind: &schema.Event_Chat{
		Chat: &schema.Chat{Channel: "lobby", Session: "another", User: "ada", Id: "2", Body: "again"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	events := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer events.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := events.ProduceSync(ctx, schema.PartitionOf("lobby", 3), eventlog.Record{Key: []byte("lobby"), Value: value}); err != nil {
		t.Fatal(err)
	}
}

func succeed(t *testing.T, data string, args ...string) string {
	t.Helper()
	code, out, errs := operate(data, args...)
	if code != 0 {
		t.Fatalf("parley %s: exit code %d: %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func lookAtTopics(t *testing.T, data string) {
	type partition struct {
		Topic          string
		Partition, End int64
		Leader         int
		Replicas       []int
		InSync         []int            `json:"in_sync"`
		Lag            map[string]int64 `json:"lag"`
		Behind         *int64           `json:"projector_lag"`
	}
	caughtUp := func() bool {
		var all []partition
		if err := json.Unmarshal([]byte(succeed(t, data, "topics", "--json")), &all); err != nil {
			t.Fatal(err)
		}
		if len(all) != 7*3+3 {
			t.Fatalf("there are %d partitions, want 24", len(all))
		}
		for _, p := range all {
			if p.Leader != 0 || len(p.Replicas) != 1 || len(p.InSync) != 1 {
				t.Errorf("a partition is kept at %+v", p)
			}
			if p.Topic != "parley.events" {
				continue
			}
			if lag, ok := p.Lag["parley-chatworker"]; p.End < 1 || !ok || lag != 0 || p.Behind == nil || *p.Behind != 0 {
				return false
			}
		}
		return true
	}
	await.That(t, "everybody has caught up", caughtUp)
	if out := succeed(t, data, "topics"); !strings.Contains(out, "parley.control") || !strings.Contains(out, "LEADER") {
		t.Errorf("topics says %s", out)
	}
	if out := succeed(t, data, "topics", "create"); !strings.Contains(out, "All topics exist") {
		t.Errorf("topics create says %s", out)
	}
	if out := succeed(t, data, "topics", "check"); !strings.Contains(out, "0 errors, 0 warnings") {
		t.Errorf("topics check says %s", out)
	}
}

func lookAtTail(t *testing.T, data string) {
	lines := func(args ...string) (events []map[string]any) {
		t.Helper()
		for line := range strings.Lines(succeed(t, data, append([]string{"tail"}, args...)...)) {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q is not JSON: %v", line, err)
			}
			events = append(events, e)
		}
		return events
	}
	chats := lines("--channel", "lobby", "--kinds", "chat")
	if len(chats) != 5 || chats[1]["void"] != nil || chats[3]["private"] != true || chats[4]["void"] != true {
		t.Fatalf("five chats, the fourth private and the last void: %v", chats)
	}
	for _, e := range chats {
		if e["body"] != nil || e["to"] != nil {
			t.Errorf("the text of a message is shown without --bodies: %v", e)
		}
	}
	bodies, private := lines("--channel", "lobby", "--kinds", "chat", "--bodies"), lines("--channel", "lobby", "--kinds", "chat", "--private")
	if bodies[0]["body"] != "hello" || bodies[3]["body"] != nil || bodies[3]["to"] != nil {
		t.Errorf("with --bodies: %v", bodies)
	}
	if private[0]["body"] != nil || private[3]["body"] != "psst" || private[3]["to"] != "bob" {
		t.Errorf("with --private: %v", private)
	}
	if all := lines("--channel", "lobby"); len(all) != 7 || all[0]["kind"] != "join" {
		t.Errorf("two joins and five chats: %v", all)
	}
	if markers := lines("--kinds", "marker"); len(markers) < 3 || markers[0]["epoch"] == nil {
		t.Errorf("a marker in each of three partitions: %v", markers)
	}
	void := int64(chats[4]["offset"].(float64))
	if late := lines("--channel", "lobby", "--from", jsonOf(t, void)); len(late) != 1 || late[0]["void"] != true {
		t.Errorf("from the void one on, which is known to be void: %v", late)
	}
	if none := lines("--from", "end"); len(none) != 0 {
		t.Errorf("from the end on: %v", none)
	}
	if code, _, errs := operate(data, "tail", "--partition", "0", "--from", "999999"); code != 1 || !strings.Contains(errs, "there is no 999999 yet") {
		t.Errorf("an offset after the end: exit code %d: %s", code, errs)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func lookAtHistory(t *testing.T, data string) {
	var page struct {
		Epoch    string
		Messages []rpc.Message
		More     bool
	}
	ask := func(args ...string) (bodies string) {
		t.Helper()
		text := succeed(t, data, append([]string{"history", "lobby", "--json"}, args...)...)
		page.Messages = nil
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var said []string
		for _, m := range page.Messages {
			said = append(said, m.Body)
		}
		return strings.Join(said, "|")
	}
	if got := ask(); got != "hello|again|\x1b[31mred" || page.Epoch == "" {
		t.Errorf("without a user: %q in epoch %q", got, page.Epoch)
	}
	if got := ask("--user", "bob"); got != "hello|again|\x1b[31mred|psst" {
		t.Errorf("as bob: %q", got)
	}
	second := jsonOf(t, page.Messages[1].Seq)
	if got := ask("--before", second); got != "hello" {
		t.Errorf("before the second: %q", got)
	}
	if got := ask("--after", second, "--limit", "1"); got != "\x1b[31mred" || page.More {
		t.Errorf("one after the second: %q, more %v", got, page.More)
	}
	if out := succeed(t, data, "history", "lobby", "--limit", "2"); !strings.Contains(out, "ada: again") || !strings.Contains(out, "--before") || strings.Contains(out, "\x1b") {
		t.Errorf("for people: %q", out)
	}
	if code, _, errs := operate(data, "history", "lobby", "--epoch", "never"); code != 1 || !strings.Contains(errs, `there is no epoch "never"`) {
		t.Errorf("an unknown epoch: exit code %d: %s", code, errs)
	}
}

func lookAtFormat(t *testing.T, data string) {
	var status struct {
		Format, Known int
		Roles         []struct{ Role, Version string }
	}
	// The projector may still be on its way into its group.
	await.That(t, "every role tells which format it knows", func() bool {
		if err := json.Unmarshal([]byte(succeed(t, data, "format", "--json")), &status); err != nil {
			t.Fatal(err)
		}
		return len(status.Roles) == 3
	})
	if status.Format != 2 || status.Known != 2 || status.Roles[0].Version != roles.Version() {
		t.Errorf("the format is %+v", status)
	}
	if out := succeed(t, data, "format"); !strings.Contains(out, "The log is in format 2.") || !strings.Contains(out, "projector") || strings.Count(out, " "+roles.Version()+" ") != 3 {
		t.Errorf("format says %s", out)
	}
	if out := succeed(t, data, "format", "raise", "2", "--yes"); !strings.Contains(out, "already") {
		t.Errorf("format raise 2 says %s", out)
	}
	if code, _, errs := operate(data, "format", "raise", "3", "--yes"); code != 1 || !strings.Contains(errs, "run the command of a newer one") {
		t.Errorf("format raise 3: exit code %d: %s", code, errs)
	}
}

func skipHooks(t *testing.T, data string) {
	at := fmt.Sprint(schema.PartitionOf("lobby", 3))
	hooks := begin(t, "hooks", "--data", data, "--url", "http://127.0.0.1:1")
	await.That(t, "a wrong name is refused, with the right ones", func() bool {
		code, _, errs := operate(data, "hooks", "skip", "--name", "defualt", "--partition", at, "--to", "1")
		return code == 1 && errs == "parley: there are no hooks named defualt: the names are default\n"
	})
	hooks.signal(os.Interrupt)
	if code := hooks.exitCode(); code != 0 {
		t.Errorf("the hooks end with %d:\n%s", code, hooks.said())
	}
	if out := succeed(t, data, "hooks", "skip", "--partition", at, "--to", "1"); out != "Hooks default leave out what waits in partition "+at+" up to seq 1.\n" {
		t.Errorf("skipping says %q", out)
	}
	if code, _, errs := operate(data, "hooks", "skip", "--partition", at, "--to", "900"); code == 0 || !strings.Contains(errs, "seq 900 is not in partition "+at) {
		t.Errorf("skipping what is not there ends with %d: %s", code, errs)
	}
}

func lookAtDoctor(t *testing.T, data string) {
	await.That(t, "the doctor finds no error", func() bool {
		code, out, _ := operate(data, "doctor")
		return code == 0 && strings.Contains(out, " 0 errors") && strings.Contains(out, "format of the log: 2\nrules about users: 0 of 200000") && strings.Contains(out, "running: chatworker "+roles.Version()+" (1), ")
	})
	var report struct {
		Findings []struct{ Severity, Subject, Text string }
	}
	if err := json.Unmarshal([]byte(succeed(t, data, "doctor", "--json")), &report); err != nil || len(report.Findings) == 0 {
		t.Errorf("doctor --json: %v, %+v", err, report)
	}
	if code, _, errs := operate(data, "doctor", "--strict"); code != 1 || !strings.Contains(errs, "warnings") {
		t.Errorf("one broker is a warning, and --strict counts it: exit code %d: %s", code, errs)
	}
}

func TestLookingThatCannot(t *testing.T) {
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"topics --wait 200ms --kafka 127.0.0.1:1", "does not answer within 200ms", 1},
		{"topics create --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"topics create --partitions none", `it takes a number from 1 to 10000, not "none"`, 2},
		{"topics check --wait 200ms --kafka 127.0.0.1:1", "does not answer", 3},
		{"topics delete", "delete", 2},
		{"tail --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"tail --from yesterday", "it takes beginning, end or an offset from 0 on", 2},
		{"tail --partition=-2", "it takes a number from 0 on", 2},
		{"tail --kinds gossip", "--kinds: it takes one of", 2},
		{"tail --channel= ", "--channel: it takes a name", 2},
		{"history", "<channel>", 2},
		{"history lobby --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"history lobby --before 0", "it takes a number from 1 on", 2},
		{"history lobby --before 9 --after 3", "--before and --after", 2},
		{"history lobby --limit 0", "--limit is 0", 2},
		{"doctor --wait 200ms --kafka 127.0.0.1:1", "does not answer", 3},
		{"doctor --clickhouse http://127.0.0.1", "must begin with clickhouse://", 2},
		{"format --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"format raise", "<number>", 2},
		{"format raise two", `it takes a number from 1 to 10000, not "two"`, 2},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(strings.Fields(c.args), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("parley %s: exit code %d, says %q, want %d and %q", c.args, code, errs.String(), c.code, c.want)
		}
	}
}
