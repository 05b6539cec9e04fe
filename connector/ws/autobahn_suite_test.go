package ws

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// autobahnRefused are the cases that have to fail: they want binary messages
// back, which the protocol refuses with 1003.
const autobahnRefused = "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6 1.2.7 1.2.8"

// Autobahn's own test suite against the connection layer, where `make
// test-websocket` has installed it. 9 (sizes and times) is about frames above
// our limit, 12 and 13 about compression, which is not offered.
func TestAutobahnSuite(t *testing.T) {
	program := os.Getenv("PARLEY_TEST_AUTOBAHN")
	if program == "" {
		t.Skip("`make test-websocket` runs Autobahn's test suite")
	}
	dir := t.TempDir()
	spec, err := json.Marshal(map[string]any{
		"outdir":        dir,
		"servers":       []any{map[string]any{"agent": "parley", "url": "ws://" + echoing(t, nil)}},
		"cases":         []string{"*"},
		"exclude-cases": []string{"9.*", "12.*", "13.*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spec.json"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), program, "-m", "fuzzingclient", "-s", filepath.Join(dir, "spec.json"))
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("the suite: %v\n%s", err, out[max(0, len(out)-4<<10):])
	}
	report, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var agents map[string]map[string]struct{ Behavior, BehaviorClose string }
	if err := json.Unmarshal(report, &agents); err != nil {
		t.Fatal(err)
	}
	cases := agents["parley"]
	if len(cases) < 247 {
		t.Errorf("the suite ran %d cases, of 247", len(cases))
	}
	behaviors := map[string]int{}
	for id, c := range cases {
		behaviors[c.Behavior]++
		refused := strings.Contains(" "+autobahnRefused+" ", " "+id+" ")
		passed := c.Behavior != "FAILED" && c.BehaviorClose != "FAILED"
		if passed == refused {
			t.Errorf("case %s: %s, its end %s; to be refused: %t", id, c.Behavior, c.BehaviorClose, refused)
		}
	}
	t.Logf("%d cases: %v", len(cases), behaviors)
}
