package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/parley-chat/parley/"

// The arrows between packages run one way: main → stack → components → history
// and plumbing → schema. Components never import each other.
func TestImportsRunOneWay(t *testing.T) {
	components := []string{"connector", "chatworker", "projector"}
	plumbing := []string{"schema", "internal/eventlog", "internal/epoch", "internal/clickhouse", "internal/history", "internal/roles", "internal/capacity", "internal/ops/format", "internal/ops/topics", "internal/ops/tail", "internal/ops/history", "internal/ops/doctor", "internal/embedded"}
	forbidden := map[string][]string{
		"schema":             append([]string{"internal", "web", "tests"}, components...),
		"internal/meter":     append([]string{"schema", "internal", "web", "tests"}, components...),
		"internal/telemetry": append([]string{"schema", "internal", "web", "tests"}, components...),
		"internal/eventlog":  append([]string{"schema", "internal", "web", "tests"}, components...),
		"internal/jaeger":    append([]string{"schema", "internal", "web", "tests"}, components...),
		"internal/tracing":   append([]string{"schema", "internal/telemetry", "internal/app/cli", "internal/app/stack", "web", "tests"}, components...),
		"web":                append([]string{"schema", "internal", "tests"}, components...),
	}
	for _, p := range plumbing[2:] {
		forbidden[p] = append([]string{"internal/app/stack", "internal/app/cli", "web", "tests"}, components...)
	}
	for _, p := range []string{"internal/child", "internal/testing/kraft", "internal/memory"} {
		forbidden[p] = append([]string{"schema", "internal/app/stack", "internal/app/cli", "web", "tests"}, components...)
	}
	for _, c := range components {
		forbidden[c] = []string{"internal/app/stack", "internal/app/cli", "internal/embedded", "internal/testing/kraft", "internal/telemetry", "web", "tests"}
		for _, other := range components {
			if other != c {
				forbidden[c] = append(forbidden[c], other)
			}
		}
	}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			for from, not := range forbidden {
				if (from == "internal/eventlog" || from == "internal/telemetry") && imported == module+"internal/meter" {
					continue // which is of OpenTelemetry, and knows nothing of chat either
				}
				for _, to := range not {
					if within(p.ImportPath, from) && within(imported, to) && !within(imported, from) {
						t.Errorf("%s imports %s", p.ImportPath, imported)
					}
				}
			}
		}
	}
}

func within(path, folder string) bool {
	return path == module+folder || strings.HasPrefix(path, module+folder+"/")
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
