package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// boundDirective in the doc comment of a test names the row of the table of
// bounds that the test is of.
const boundDirective = "//parley:bound "

var boundRow = regexp.MustCompile(`(?m)^\| ([^|]+) \|`)

// Every row of the table of bounds has a test that fills it, and every test
// that says so names a row.
func TestTableOfBounds(t *testing.T) {
	_, table, _ := strings.Cut(readFile(t, filepath.Join(root, "docs", "architecture.md")), "| what | bytes | at the bound |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for _, found := range boundRow.FindAllStringSubmatch(table, -1) {
		rows = append(rows, found[1])
	}
	if len(rows) == 0 {
		t.Fatal("docs/architecture.md has no table of bounds")
	}
	tested := map[string]bool{}
	for _, path := range testFiles(t) {
		for _, row := range boundsOf(t, path) {
			if tested[row] = true; !slices.Contains(rows, row) {
				t.Errorf("%s has a test of %q, which is not a row of the table of bounds", path, row)
			}
		}
	}
	for _, row := range rows {
		if !tested[row] {
			t.Errorf("no test is of %q, a row of the table of bounds: it needs one with %s%s", row, boundDirective, row)
		}
	}
}

// boundsOf are the rows that the tests of a file cover.
func boundsOf(t *testing.T, path string) (rows []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[*ast.CommentGroup]bool{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			docs[f.Doc] = true
		}
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			row, found := strings.CutPrefix(c.Text, boundDirective)
			if found && !docs[group] {
				t.Errorf("%s: %s is not in the doc comment of a test", path, c.Text)
			} else if found {
				rows = append(rows, row)
			}
		}
	}
	return rows
}
