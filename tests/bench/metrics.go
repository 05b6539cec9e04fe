package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fetch is a page; "" where there is none.
func fetch(ctx context.Context, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return ""
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	page, _ := io.ReadAll(response.Body)
	return string(page)
}

// number is the value of a metric without labels of its own; 0: it is not there.
func number(page, name string) float64 {
	for line := range strings.Lines(page) {
		if rest, found := strings.CutPrefix(line, name); found && strings.HasPrefix(strings.TrimLeft(rest, " "), "") {
			fields := strings.Fields(rest)
			if len(fields) == 0 || strings.HasPrefix(rest, "_") {
				continue
			}
			v, _ := strconv.ParseFloat(fields[len(fields)-1], 64)
			return v
		}
	}
	return 0
}

var tally = regexp.MustCompile(`(?m)^parley_connector_(limited|closes|upgrades)_total\{.*?(?:limit|code|result)="([^"]*)".*?\} ([0-9.e+]+)`)

// tallies count what clients were met with.
func (b *bench) tallies(ctx context.Context) map[string]float64 {
	found := map[string]float64{}
	for _, m := range tally.FindAllStringSubmatch(b.metrics(ctx), -1) {
		v, _ := strconv.ParseFloat(m[3], 64)
		found[map[string]string{"limited": "limit", "closes": "closed with", "upgrades": "upgrade"}[m[1]]+" "+m[2]] += v
	}
	return found
}

func difference(before, after map[string]float64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name] - before[name]; n > 0 {
			all = append(all, fmt.Sprintf("%s %.0f", name, n))
		}
	}
	return strings.Join(all, ", ")
}
