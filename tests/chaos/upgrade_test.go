package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/tests/checker"
)

// lastOfFormat1 is the commit before the first one that knows format 2.
const lastOfFormat1 = "bedb0d69a999f7fbe341f8c11fea17e72bb8495f"

// The version before format 2 and this one run side by side, one is replaced by
// the other role by role under load, and back, and the log is raised to format 2.
func TestRollingUpgrade(t *testing.T) {
	if krafttest.Asked() {
		t.Skip("it is about versions of parley, and runs on the embedded broker")
	}
	newer, folder := workplace(t)
	older, place := buildCommit(t, folder, lastOfFormat1), filepath.Join(folder, "run")
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	after := &aftermath{t: t}
	result, err := Run(t.Context(), Config{
		Binary: older, Newer: newer, Folder: place, Seed: 11, Duration: 2 * time.Minute, Mode: Upgrade,
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

// buildCommit builds the program as it was at a commit. Where the repository does
// not have that, such as a shallow clone, the test is skipped, but for CI.
func buildCommit(t *testing.T, folder, commit string) (binary string) {
	t.Helper()
	source := filepath.Join(folder, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	archive := source + ".tar"
	if out, err := exec.Command("git", "-C", root, "archive", "-o", archive, commit).CombinedOutput(); err != nil {
		text := fmt.Sprintf("commit %s is not here: fetch the whole history: %v: %s", commit, err, out)
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", source).CombinedOutput(); err != nil {
		t.Fatalf("unpack commit %s: %v: %s", commit, err, out)
	}
	binary, err := Build(source, source)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// aftermath is what an upgrade left in the log and in parley.push.
type aftermath struct {
	t  *testing.T
	in *checker.Input
}

func (a *aftermath) look(in *checker.Input) { a.in = in }

// judge checks that every partition was raised, once, that nothing of format 2
// came before that, and that much of it did later.
func (a *aftermath) judge() {
	edits, deletes, reacts, structured := 0, 0, 0, 0
	for p, records := range a.in.Log.Partitions {
		raised := 0
		guard := schema.FormatGuard{InForce: newerFormat - 1}
		for _, r := range records {
			if r.Event.GetFormat() != nil {
				raised++
			}
			if err := guard.Judge(r.Offset, r.Event); err != nil {
				a.t.Errorf("offset %d of partition %d: %v", r.Offset, p, err)
			}
			switch change := r.Event.GetChange(); {
			case change.GetEdit() != nil:
				edits++
			case change.GetDelete() != nil:
				deletes++
			case change.GetReact() != nil:
				reacts++
			case r.Event.GetChat().GetType() != "":
				structured++
			}
		}
		if raised != 1 {
			a.t.Errorf("partition %d has %d format events, want 1", p, raised)
		}
	}
	if edits+deletes < 2 || reacts < 5 || structured < 5 { // few there are of the first two: a session changes its own
		a.t.Errorf("the log has %d edits, %d deletions, %d reactions and %d messages of a type: too few to prove anything", edits, deletes, reacts, structured)
	}
	pushes := map[int32]int{}
	for _, records := range a.in.Pushes {
		for _, r := range records {
			pushes[r.Push.Format]++
		}
	}
	if pushes[newerFormat-1] == 0 || pushes[newerFormat] == 0 {
		a.t.Errorf("pushes by format %v: want some of both", pushes)
	}
}
