package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// curve is how something grows, as the file that a picture is drawn from has it.
type curve struct {
	Title string `json:"title"`
	// Measured says when, on what, and by which command.
	Measured string `json:"measured"`
	// Others are the processors that neither the server nor the load took meanwhile, on
	// average: with more than a tenth of one, other work was going on.
	Others float64              `json:"others"`
	X      axis                 `json:"x"`
	Panels []panel              `json:"panels"`
	Points []map[string]float64 `json:"points"` // by the names of X and of lines; a line need not have each

	longest int // history, in messages
}

// axis is what one axis is of, in its unit.
type axis struct {
	Name string `json:"name"`
	Log  bool   `json:"log,omitempty"`
}

// panel is one diagram of a picture.
type panel struct {
	Y     axis     `json:"y"`
	Lines []string `json:"lines"`
}

func (c *curve) add(x float64, values map[string]float64) {
	values[c.X.Name] = x
	c.Points = append(c.Points, values)
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.Title, values)
}

// growth are the curves, each of which starts what it measures itself.
var growth = []struct {
	name    string
	measure func(ctx context.Context, binary string, c *curve) error
}{
	{"members", growMembers},
	{"channels", growChannels},
	{"connectors", growConnectors},
	{"rate", growRate},
	{"connections", growConnections},
	{"memberships", growMemberships},
	{"takeover", growTakeover},
	{"history", growHistory},
	{"projector", growProjector},
}

// mostOfCurve bounds one curve: what hangs does not keep the others from being measured.
const mostOfCurve = 20 * time.Minute

// curves measures all curves, or the only one that is named, and writes each into folder
// once it is complete.
func curves(ctx context.Context, binary, only string, o options) error {
	var all []error
	var names []string
	for _, g := range growth {
		names = append(names, g.name)
		if only != "" && only != g.name {
			continue
		}
		if err := grow(ctx, g.name, o, func(ctx context.Context, c *curve) error { return g.measure(ctx, binary, c) }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			all = append(all, err)
		}
		if only == g.name || ctx.Err() != nil {
			return errors.Join(all...)
		}
	}
	if only != "" {
		return fmt.Errorf("there is no curve %s: --only is one of %s", only, strings.Join(names, ", "))
	}
	return errors.Join(all...)
}

func grow(ctx context.Context, name string, o options, measure func(context.Context, *curve) error) error {
	most, command := mostOfCurve, "make bench-curves ONLY="+name
	if name == "history" && o.longest != usualLongest {
		most *= time.Duration(max(1, o.longest/usualLongest))
		command += fmt.Sprintf(" LONGEST=%d", o.longest)
	}
	ctx, stop := context.WithTimeout(ctx, most)
	defer stop()
	c := &curve{longest: o.longest, Measured: fmt.Sprintf("%s, %s/%s, %d cores, %s", time.Now().UTC().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), command)}
	all, own, begin := machineCPU(), ownCPU(), time.Now()
	if err := measure(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.Others = max(0, float64(machineCPU()-all-(ownCPU()-own))/float64(time.Since(begin)))
	c.Others = float64(int(c.Others*100)) / 100
	text, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.curves, name+".json"), append(text, '\n'), 0o644)
}

// ownCPU is what this process and those that it started and ended took.
func ownCPU() time.Duration { return processCPU(os.Getpid()) + endedCPU() }

// machineCPU is what all processes of this machine took.
func machineCPU() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	// The first line: cpu, then hundredths of seconds as user, nice, system, idle, iowait,
	// irq, softirq.
	var user, nice, system, idle, wait, irq, soft int64
	_, _ = fmt.Sscanf(string(stat), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft)
	return time.Duration(user+nice+system+irq+soft) * 10 * time.Millisecond
}

// round keeps three digits: figures have no more.
func round(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // of digits
	return rounded
}
