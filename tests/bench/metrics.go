package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
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
	if response.StatusCode != http.StatusOK {
		return ""
	}
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

var handedBucket = regexp.MustCompile(`(?m)^parley_connector_delivery_duration_seconds_bucket\{.*?le="([^"]*)".*?\} ([0-9.e+]+)`)

// handed counts messages by the time, in seconds, within which the server had
// handed them to the sockets of those who hear them.
func (b *bench) handed(ctx context.Context) map[float64]float64 {
	found := map[float64]float64{}
	for _, m := range handedBucket.FindAllStringSubmatch(b.metrics(ctx), -1) {
		most, _ := strconv.ParseFloat(m[1], 64) // "+Inf" is one
		n, _ := strconv.ParseFloat(m[2], 64)
		found[most] += n
	}
	return found
}

// handedWithin is the time within which 99 of 100 messages were handed over
// between two counts: what their receivers noticed beyond it is the sockets'
// and their own. It is as close as the histogram's steps.
func handedWithin(before, after map[float64]float64) string {
	all := after[math.Inf(1)] - before[math.Inf(1)]
	for _, most := range slices.Sorted(maps.Keys(after)) {
		if n := after[most] - before[most]; n >= .99*all {
			return fmt.Sprintf("%g s", most)
		}
	}
	return "?"
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
