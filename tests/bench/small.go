package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// small are the benchmarks of Go that have a goal, by their names.
var small = []struct {
	name, what string
	goal       time.Duration
}{
	{"Hello/ES256", "hello with an ES256 token, request to answer over a socket", 150 * time.Microsecond},
	{"Hello/ping", "ping, the same way", 0},
	{"Check/user", "64 patterns asked for an action: `app-1:{user}:*` and so on", time.Microsecond},
	{"Check/hostile/rare", "the same with hostile ones: `*ab*b*大*`, a name of 128 bytes", time.Microsecond},
	{"Check/hostile/order", "`*ab*abbaab*ba*`", time.Microsecond},
	{"Check/hostile/nearly", "`*abbaab*bab*babb*`", time.Microsecond},
	{"Check/hostile/between", "`*ab*baabbaab*ab*`", time.Microsecond},
	{"Check/hostile/long", "`*`, 30 to 59 letters, `*abbaab*aab*`", time.Microsecond},
	{"Check/hostile/ends", "40 letters, `*abbaab*b*`, 40 letters", time.Microsecond},
}

var smallResult = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

// small runs the benchmarks of what every hello and every request pays, three
// times, and takes the least: whatever else runs only adds.
func (b *bench) small(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^(BenchmarkCheck|BenchmarkHello)$", "-benchmem", "-benchtime", "300ms", "-count", "3", "-p", "1", "./connector", "./connector/grants")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	type result struct {
		ns     float64
		allocs string
	}
	least := map[string]result{}
	for _, m := range smallResult.FindAllStringSubmatch(string(out), -1) {
		ns, _ := strconv.ParseFloat(m[2], 64) // of digits
		if r, found := least[m[1]]; !found || ns < r.ns {
			least[m[1]] = result{ns, m[3]}
		}
	}
	for _, s := range small {
		r, found := least[s.name]
		if !found {
			return fmt.Errorf("there is no benchmark %s: %s", s.name, out)
		}
		goal := ""
		if s.goal > 0 {
			goal = fmt.Sprintf(" (goal ≤ %v)", s.goal)
		}
		b.row(s.what, "%v, %s allocations%s", roundly(r.ns), r.allocs, goal)
	}
	return nil
}

// roundly is a time of nanoseconds to three digits.
func roundly(ns float64) time.Duration {
	d := time.Duration(ns)
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}
