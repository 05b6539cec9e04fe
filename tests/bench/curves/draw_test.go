package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

const committed = "../../../docs/images/curves"

// Each picture in docs is that of the data beside it, and a page shows it.
func TestPicturesAreOfTheirData(t *testing.T) {
	page, err := os.ReadFile("../../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(committed, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is nothing in %s: %v", committed, err)
	}
	names := map[string]int{}
	for _, file := range files {
		names[strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))]++
	}
	again := t.TempDir()
	for name, n := range names {
		data, err := os.ReadFile(filepath.Join(committed, name+".json"))
		picture, missing := os.ReadFile(filepath.Join(committed, name+".svg"))
		if n != 2 || err != nil || missing != nil {
			t.Errorf("%s: there are %d files, not data and a picture of it: %v, %v", name, n, err, missing)
			continue
		}
		if !bytes.Contains(page, []byte("(images/curves/"+name+".svg)")) {
			t.Errorf("docs/benchmarks.md does not show %s.svg", name)
		}
		if err := os.WriteFile(filepath.Join(again, name+".json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := all(again); err != nil {
			t.Fatal(err)
		}
		drawn, err := os.ReadFile(filepath.Join(again, name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		// Elsewhere the last digit of a place may be another one.
		if runtime.GOARCH == "amd64" && !bytes.Equal(drawn, picture) {
			t.Errorf("%s.svg is not what is drawn of %s.json: go run . %s", name, name, committed)
		}
	}
}

func TestStepBelow(t *testing.T) {
	for _, c := range []struct{ v, want float64 }{
		{1, 1}, {1.9, 1}, {2, 2}, {4.9, 2}, {5, 5}, {9.9, 5}, {10, 10}, {1000, 1000}, {.3, .2},
		{-1, -1}, {-1.1, -2}, {-2, -2}, {-3, -5}, {-6, -10}, {-1000, -1000}, {-.3, -.5},
	} {
		if got := stepBelow(c.v); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("stepBelow(%g) is %g, not %g", c.v, got, c.want)
		}
	}
}

func TestDecades(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{10, 100, "10 20 50 100"},
		{10, 10_000, "10 100 1k 10k"},
		{.5, 2_000_000, "1 10 100 1k 10k 100k 1M"},
	} {
		if got := labels(decades(c.low, c.high)); got != c.want {
			t.Errorf("from %g to %g: %s, not %s", c.low, c.high, got, c.want)
		}
	}
}

func labels(ticks []plot.Tick) string {
	var all []string
	for _, t := range ticks {
		if t.Label != "" {
			all = append(all, t.Label)
		}
	}
	return strings.Join(all, " ")
}

// A picture without data, or of a line that no point has, is an error.
func TestBadCurves(t *testing.T) {
	whole := curve{X: axis{"x", true}, Panels: []panel{{axis{"y", false}, []string{"y"}}}, Points: []map[string]float64{{"x": 1, "y": 2}, {"x": 10, "y": 3}}}
	if _, err := whole.draw(); err != nil {
		t.Fatal(err)
	}
	none, other, zero := whole, whole, whole
	none.Points = nil
	other.Panels = []panel{{axis{"y", false}, []string{"z"}}}
	zero.Points = []map[string]float64{{"x": 0, "y": 2}}
	for name, c := range map[string]curve{"no points": none, "no such line": other, "0 on a logarithmic axis": zero} {
		if _, err := c.draw(); err == nil {
			t.Errorf("%s: it is drawn", name)
		}
	}
}
