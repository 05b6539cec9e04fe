package tests

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the module, as seen from this package.
const root = ".."

// documents are the texts for people at the root and in docs.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range append(names, more...) {
		texts[name] = readFile(t, name)
	}
	return texts
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?^```")
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Every relative link leads to a file, and its anchor to a heading.
func TestLinksLeadSomewhere(t *testing.T) {
	known := map[string][]string{} // anchors, by file
	for name, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), filepath.FromSlash(target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", name, found[1], err)
				continue
			}
			if anchor == "" {
				continue
			}
			if _, read := known[file]; !read {
				known[file] = anchors(readFile(t, file))
			}
			if !slices.Contains(known[file], anchor) {
				t.Errorf("%s links to %s, where no heading is called so", name, found[1])
			}
		}
	}
}

// anchors are the names that GitHub gives to the headings of a text.
func anchors(text string) []string {
	var all []string
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		a := noAnchor.ReplaceAllString(strings.ToLower(h[1]), "")
		all = append(all, strings.ReplaceAll(a, " ", "-"))
	}
	return all
}

var (
	guarantee = regexp.MustCompile(`(?m)^\| \*\*G(\d+)\*\* \| (.*) \|$`)
	testName  = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

// Every test that the documents name exists, and every guarantee names one.
func TestNamedTestsExist(t *testing.T) {
	exists := testFunctions(t)
	for name, text := range documents(t) {
		for _, found := range testName.FindAllStringSubmatch(text, -1) {
			if !exists[found[1]] {
				t.Errorf("%s names %s, which is not a test", name, found[1])
			}
		}
	}
	rows := guarantee.FindAllStringSubmatch(readFile(t, filepath.Join(root, "docs", "guarantees.md")), -1)
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) || !testName.MatchString(row[2]) {
			t.Errorf("row %d of the guarantees is G%s, with the tests %q", i+1, row[1], row[2])
		}
	}
	if len(rows) != 10 {
		t.Errorf("docs/guarantees.md has the tests of %d guarantees, not 10", len(rows))
	}
}

// Every page is in the index of docs/README.md.
func TestEveryPageIsListed(t *testing.T) {
	index := readFile(t, filepath.Join(root, "docs", "README.md"))
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages {
		if name := filepath.Base(path); name != "README.md" && strings.Count(index, "]("+name+")") != 1 {
			t.Errorf("docs/README.md does not list %s once", name)
		}
	}
}

var shown = regexp.MustCompile("(?m)^\\| G(\\d+) \\| ([^|]+) \\| `make show G=(\\d+)` \\|.*`Test")

// Each guarantee has a command that shows it, under its name in the README, and
// something that is played.
func TestEveryGuaranteeIsShown(t *testing.T) {
	readme := readFile(t, filepath.Join(root, "README.md"))
	rows := shown.FindAllStringSubmatch(readFile(t, filepath.Join(root, "docs", "guarantees.md")), -1)
	for i, row := range rows {
		n := fmt.Sprint(i + 1)
		if row[1] != n || row[3] != n || !strings.Contains(readme, "| **G"+n+" "+row[2]+"** |") {
			t.Errorf("row %d of docs/guarantees.md is G%s %q, shown by G=%s", i+1, row[1], row[2], row[3])
		}
	}
	if len(rows) != 10 || len(shows) != 10 {
		t.Errorf("%d guarantees have a command, and %d are played, not 10", len(rows), len(shows))
	}
}

func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, path := range testFiles(t) {
		for _, f := range testFunc.FindAllStringSubmatch(readFile(t, path), -1) {
			all[f[1]] = true
		}
	}
	return all
}

// testFiles are the paths of all tests in Go.
func testFiles(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var (
	makeUse    = regexp.MustCompile("(?m)(?:`|^)make ([a-z][a-z-]*)")
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// Every target of make that the documents name exists.
func TestNamedMakeTargetsExist(t *testing.T) {
	var targets []string
	for _, found := range makeTarget.FindAllStringSubmatch(readFile(t, filepath.Join(root, "Makefile")), -1) {
		targets = append(targets, found[1])
	}
	for name, text := range documents(t) {
		for _, found := range makeUse.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(targets, found[1]) {
				t.Errorf("%s says make %s, which the Makefile does not have", name, found[1])
			}
		}
	}
}
