package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/tests/checker"
)

// newer is what makes a program that knows one format more. Its rule: from that
// format on, every update is a push of its own. It counts where the log's
// format was raised, and nowhere else, or workers emit other pushes than the
// checker's fold.
var newer = []planted{
	{name: "a newer format", file: "schema/event.go", old: "const NewestFormat = 1\n", new: "const NewestFormat = 2\n"},
	{name: "its rule", file: "chatworker/fold/step.go",
		old: "	for i, part := range pack(updates, s.fold.limit) {",
		new: `	limit := s.fold.limit
	if s.fold.format >= 2 {
		limit = headroom + 1
	}
	for i, part := range pack(updates, limit) {`},
}

// upgradeEnv names the older program to the test of the newer one.
const upgradeEnv = "PARLEY_TEST_UPGRADE_FROM"

// A version that knows a newer format runs side by side with the one before,
// replaces it role by role under load, and the log is raised to its format.
// The test itself is rebuilt with the newer format, because what reads the
// log must know it.
func TestRollingUpgrade(t *testing.T) {
	if os.Getenv(upgradeEnv) != "" {
		t.Skip("this is the newer version's side")
	}
	if krafttest.Asked() {
		t.Skip("it is about versions of parley, and runs on the embedded broker")
	}
	older, folder := workplace(t)
	overlay := overlayOf(t, folder, newer)
	test := filepath.Join(folder, "newer.test")
	build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", test, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the newer version's side: %v\n%s", err, out)
	}
	side := exec.CommandContext(t.Context(), test, "-test.run", "^TestNewer", "-test.v")
	side.Env = append(os.Environ(), upgradeEnv+"="+older, "PARLEY_TEST_OVERLAY="+overlay, "PARLEY_TEST_FOLDER="+folder)
	out, err := side.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// TestNewerSide is a part of TestRollingUpgrade.
func TestNewerSide(t *testing.T) {
	older, folder := os.Getenv(upgradeEnv), os.Getenv("PARLEY_TEST_FOLDER")
	if older == "" {
		t.Skip("TestRollingUpgrade runs this")
	}
	place := filepath.Join(folder, "newer")
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := Build(place, root, "-overlay", os.Getenv("PARLEY_TEST_OVERLAY"))
	if err != nil {
		t.Fatal(err)
	}
	after := &aftermath{t: t}
	result, err := Run(t.Context(), Config{
		Binary: older, Newer: program, Folder: place, Seed: 11, Duration: 2 * time.Minute, Mode: Upgrade,
		Logger: logger(t), Look: after.look,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	for _, v := range result.Violations {
		t.Error(v)
	}
	if f := result.Figures; f.Deliveries < 500 || f.Acked < 100 {
		t.Errorf("the run was too quiet to prove anything: %v", result)
	}
	after.judge()
}

// Where parley.control was lost, the log's events give its format: raised, or
// half-way.
func TestNewerFormatIsRecalled(t *testing.T) {
	if os.Getenv(upgradeEnv) == "" {
		t.Skip("TestRollingUpgrade runs this")
	}
	const partitions = 2
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	if err := admin.EnsureTopics(t.Context(), kafka, epoch.Topics(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	recalled := func() *schema.LogFormat {
		t.Helper()
		if err := format.Recall(t.Context(), kafka, epoch.Log{Partitions: partitions, Format: 1}); err != nil {
			t.Fatal(err)
		}
		raised, err := epoch.Raised(t.Context(), kafka)
		if err != nil {
			t.Fatal(err)
		}
		return raised
	}
	for p := range partitions {
		marker := &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: 1, Window: 1}}}
		if err := put(t.Context(), kafka, schema.TopicEvents, p, "", marker); err != nil {
			t.Fatal(err)
		}
	}
	if got := recalled(); got != nil {
		t.Errorf("a log that was never raised: %v", got)
	}
	for p := range partitions {
		raise := &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: newerFormat}}}
		if err := put(t.Context(), kafka, schema.TopicEvents, p, "", raise); err != nil {
			t.Fatal(err)
		}
		if got := recalled(); got.GetNumber() != newerFormat || got.GetDone() != (p == partitions-1) || len(got.GetFrom()) != partitions {
			t.Errorf("%d partitions were raised: %v", p+1, got)
		}
	}
}

// aftermath is what an upgrade left in the log and in parley.push.
type aftermath struct {
	t  *testing.T
	in *checker.Input
}

func (a *aftermath) look(in *checker.Input) { a.in = in }

// judge checks that every partition was raised, once, and that the rule of the
// newer format is seen after that, and only there.
func (a *aftermath) judge() {
	for p, records := range a.in.Log.Partitions {
		raised := 0
		for _, r := range records {
			if r.Event.GetFormat() != nil {
				raised++
			}
		}
		if raised != 1 {
			a.t.Errorf("partition %d has %d format events, want 1", p, raised)
		}
	}
	pushes, split := map[int32]int{}, map[int32]int{}
	for _, records := range a.in.Pushes {
		for _, r := range records {
			pushes[r.Push.Format]++
			if r.Push.Index > 0 {
				split[r.Push.Format]++
			}
		}
	}
	if pushes[1] == 0 || pushes[2] == 0 || split[1] != 0 || split[2] == 0 {
		a.t.Errorf("pushes by format %v, of which parts %v: want some of both formats, and parts in format 2 only", pushes, split)
	}
}

// overlayOf writes the altered files, and the overlay file for the compiler.
func overlayOf(t *testing.T, folder string, pieces []planted) string {
	t.Helper()
	replace := map[string]string{}
	for i := range pieces {
		path, text := pieces[i].alter(t)
		replace[path] = filepath.Join(folder, "altered-"+filepath.Base(path))
		write(t, replace[path], text)
	}
	mapping, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(folder, "overlay.json")
	write(t, overlay, string(mapping))
	return overlay
}
