package sql_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema/sql"
)

var update = flag.Bool("update", false, "write the golden files")

// There is no cluster to try the replicated tables on: what is rendered for
// one is compared with a file that people have reviewed.
func TestRendered(t *testing.T) {
	for name, layout := range map[string]sql.Layout{
		"single.sql":  {Database: "chat"},
		"cluster.sql": {Database: "chat", Cluster: "parley`s"},
	} {
		base, err := layout.Base()
		if err != nil {
			t.Fatal(err)
		}
		generation, err := layout.Generation(2)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, m := range append(base, generation...) {
			all.WriteString("-- " + m.Name + "\n" + m.Statement + ";\n\n")
		}
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all.String() != string(want) {
			t.Errorf("%s differs from what is rendered; if that is meant, run go test ./schema/sql -update and read the difference\n%s", file, all.String())
		}
	}
}

func TestVersionsAscend(t *testing.T) {
	for _, render := range []func() ([]sql.Migration, error){
		sql.Layout{}.Base,
		func() ([]sql.Migration, error) { return sql.Layout{}.Generation(1) },
	} {
		all, err := render()
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range all {
			if m.Version != int64(i+1) {
				t.Errorf("%s has version %d, want %d: versions count from 1 without a gap", m.Name, m.Version, i+1)
			}
		}
	}
}
