package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/parley-chat/parley"

// floor is a row of docs/architecture.md's table of floors. A package imports
// packages of the floors that its own may stand on, and those that follow it on
// its own floor, unless that keeps its packages apart.
type floor struct {
	name     string
	packages []string
	on       []string // the floors that it may stand on
	apart    bool     // no package of the floor imports another one
}

// floors has every package once, from the top down.
var floors = []floor{
	{"tests", []string{"tests/chaos/run", "tests/chaos", "tests/bench", "tests/sim", "tests/checker", "tests/client", "tests", "examples/go-bot"},
		[]string{"test support", "servers", "cores", "plumbing", "foundation", "contracts"}, false},
	{"test support", []string{"internal/testing/embeddedtest", "internal/testing/clickhousetest", "internal/testing/plaintest", "internal/testing/telemetrytest",
		"internal/testing/krafttest", "internal/testing/kraft", "internal/testing/freeport", "internal/testing/inuse", "internal/testing/pomelotest", "internal/testing/wstest", "internal/testing/certtest", "internal/testing/latetest", "internal/testing/await"},
		[]string{"servers", "plumbing", "foundation", "contracts"}, false},
	{"what main starts", []string{".", "internal/app/settings", "internal/app/cli", "internal/app/stack"},
		[]string{"operators' commands", "servers", "roles", "rooms of the connector", "plumbing", "foundation", "contracts"}, false},
	{"operators' commands", []string{"internal/ops/console", "internal/ops/doctor", "internal/ops/epoch", "internal/ops/format", "internal/ops/history", "internal/ops/rules", "internal/ops/tail",
		"internal/ops/topics", "internal/ops/trace", "internal/ops/verify"},
		[]string{"cores", "plumbing", "foundation", "contracts"}, false},
	{"servers", []string{"internal/embedded", "internal/telemetry", "web"}, []string{"foundation", "contracts"}, true},
	{"roles", []string{"connector", "chatworker", "projector", "internal/hooks", "internal/ingest"}, []string{"rooms of the connector", "cores", "plumbing", "foundation", "contracts"}, true},
	{"rooms of the connector", []string{"connector/api", "connector/jsonrpc", "connector/pomelo/chat", "connector/pomelo", "connector/front", "connector/room", "connector/ws", "connector/quota", "connector/screen", "connector/gate", "connector/admission", "connector/identity", "connector/grants"}, []string{"foundation", "contracts"}, false},
	{"cores", []string{"internal/fold", "chatworker/lease"}, []string{"contracts"}, true},
	{"plumbing", []string{"internal/history", "internal/guard", "internal/capacity", "internal/rules", "internal/signals", "internal/roles", "internal/epoch", "internal/tracing", "internal/clickhouse", "internal/params"},
		[]string{"foundation", "contracts"}, false},
	{"foundation", []string{"internal/eventlog/admin", "internal/eventlog", "internal/meter", "internal/plain", "internal/webhook", "internal/trust", "internal/files", "internal/quote", "internal/hostname", "internal/child", "internal/memory"}, nil, false},
	{"contracts", []string{"schema/changes", "schema", "schema/rpc", "schema/sql", "schema/strict", "schema/words"}, nil, false},
}

// Imports run one way, down the floors.
func TestImportsRunOneWay(t *testing.T) {
	all := packages(t)
	for _, p := range all {
		from, at := floorOf(p.ImportPath)
		if from == nil {
			t.Errorf("%s is on no floor: add it to floors", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			to, below := floorOf(imported)
			switch {
			case to == nil: // reported above
			case to == from && (from.apart || below < at):
				t.Errorf("%s imports %s, of the same floor", p.ImportPath, imported)
			case to != from && !slices.Contains(from.on, to.name):
				t.Errorf("%s (%s) imports %s (%s)", p.ImportPath, from.name, imported, to.name)
			}
		}
	}
	for i, f := range floors {
		for _, name := range f.packages {
			if !slices.ContainsFunc(all, func(p goPackage) bool { return p.ImportPath == pathOf(name) }) {
				t.Errorf("%s, of floor %q, does not exist", name, f.name)
			}
		}
		for _, name := range f.on {
			if !slices.ContainsFunc(floors[i+1:], func(below floor) bool { return below.name == name }) {
				t.Errorf("floor %q may stand on %q, which is not below it", f.name, name)
			}
		}
	}
}

// docs/architecture.md has the same table.
func TestFloorsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "| floor | packages | may import |\n|---|---|---|\n"
	for _, f := range floors {
		var names []string
		for _, p := range f.packages {
			if p == "." {
				p = "main.go"
			}
			names = append(names, fmt.Sprintf("[%s](../%s)", strings.TrimPrefix(p, "internal/"), p))
		}
		on := strings.Join(f.on, ", ")
		if f.on == nil {
			on = "nothing of Parley"
		}
		want += fmt.Sprintf("| %s | %s | %s |\n", f.name, strings.Join(names, ", "), on)
	}
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/architecture.md does not have this table:\n%s", want)
	}
}

func pathOf(name string) string {
	if name == "." {
		return module
	}
	return module + "/" + name
}

// floorOf returns the floor of a package, and its place there.
func floorOf(path string) (f *floor, at int) {
	for i := range floors {
		for at, name := range floors[i].packages {
			if pathOf(name) == path {
				return &floors[i], at
			}
		}
	}
	return nil, 0
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
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
