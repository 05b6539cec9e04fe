// Command run runs the fault suite: `make chaos`. It exits with 1 when a
// guarantee was violated or a soak's processes grew, and leaves the recording, the data and the logs of
// such a run in the folder that it prints.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/parley-chat/parley/tests/chaos"
)

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 30*time.Second, "how long faults strike in each run")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "of the first run; the next ones count up")
	flag.IntVar(&o.runs, "runs", 1, "how many runs")
	flag.IntVar(&o.clients, "clients", 24, "how many clients chat")
	flag.IntVar(&o.brokers, "brokers", 0, "nodes of Apache Kafka that keep the log; 0 for the embedded broker")
	flag.BoolVar(&o.rolling, "rolling", false, "planned restarts of every role, in turn, instead of faults")
	flag.BoolVar(&o.handover, "handover", false, "workers are stopped, started and killed, one at a time, and nothing else is harmed")
	flag.BoolVar(&o.storm, "storm", false, "no faults but one: all connectors are killed at once, and the clients come back")
	flag.BoolVar(&o.calm, "calm", false, "no faults")
	flag.BoolVar(&o.quiet, "quiet", false, "do not say which faults strike")
	flag.StringVar(&o.tags, "tags", "", "build tags of the program")
	flag.StringVar(&o.results, "results", "", "append a line of figures to this file")
	flag.StringVar(&o.folder, "folder", "bin/chaos", "where data, logs and recordings go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	violated, err := o.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if violated || err != nil {
		os.Exit(1)
	}
}

type options struct {
	duration              time.Duration
	seed                  uint64
	runs, clients         int
	brokers               int
	calm, rolling, storm  bool
	handover              bool
	quiet                 bool
	tags, results, folder string
	commit                string // that the program is built from
}

// run makes all runs, and reports whether one violated a guarantee.
func (o *options) run(ctx context.Context) (violated bool, err error) {
	level := slog.LevelInfo
	if o.quiet {
		level = slog.LevelWarn
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	folder, err := filepath.Abs(o.folder)
	if err != nil {
		return false, err
	}
	if folder, err = os.MkdirTemp(mustExist(folder), "run-"); err != nil {
		return false, fmt.Errorf("make a folder for the run: %w", err)
	}
	if o.results != "" {
		if o.commit, err = chaos.Commit(); err != nil {
			return false, err
		}
	}
	binary, err := chaos.Build(folder, ".", "-tags", o.tags)
	if err != nil {
		return false, err
	}
	if o.storm {
		return o.makeStorm(ctx, binary, folder, logger)
	}
	var sum chaos.Summary
	for i := range o.runs {
		seed := o.seed + uint64(i)
		data := filepath.Join(folder, fmt.Sprint("seed-", seed))
		if err := os.Mkdir(data, 0o755); err != nil {
			return violated, err
		}
		result, err := chaos.Run(ctx, chaos.Config{
			Binary: binary, Folder: data, Seed: seed, Duration: o.duration, Clients: o.clients,
			Nodes: o.brokers, Slow: o.slow(), Mode: o.mode(), Logger: logger,
		})
		if err != nil {
			return violated, fmt.Errorf("seed %d (see %s): %w", seed, data, err)
		}
		sum.Add(result)
		fmt.Printf("seed %d: %v\n", seed, result)
		amiss := append(o.grown(result), result.Quiet()...)
		if len(result.Violations)+len(amiss) == 0 {
			if err := os.RemoveAll(data); err != nil {
				return violated, err
			}
			continue
		}
		violated = true
		for _, v := range result.Violations[:min(20, len(result.Violations))] {
			fmt.Printf("  %v\n", v)
		}
		for _, what := range amiss {
			fmt.Printf("  %s\n", what)
		}
		fmt.Printf("  logs and recording: %s\n", data)
	}
	fmt.Println(sum.String())
	if o.results != "" {
		err = chaos.AppendResult(o.results, o.command(), o.commit, sum.String())
	}
	if !violated && err == nil {
		err = os.RemoveAll(folder)
	}
	return violated, err
}

// grown is what did not stay as large as it was over a soak. A short one does
// not tell: everything grows in its first minutes.
func (o *options) grown(result *chaos.Result) []string {
	if !o.rolling || o.duration < 5*time.Minute {
		return nil
	}
	return result.Grown()
}

// makeStorm prints how long the clients took to be back.
func (o *options) makeStorm(ctx context.Context, binary, folder string, logger *slog.Logger) (violated bool, err error) {
	result, err := chaos.Storm(ctx, chaos.Config{Binary: binary, Folder: folder, Seed: o.seed, Clients: o.clients, Nodes: o.brokers, Slow: o.slow(), Logger: logger})
	if err != nil {
		return false, fmt.Errorf("the storm (see %s): %w", folder, err)
	}
	line := fmt.Sprintf("%d clients back %v after all connectors were killed, %d violations", o.clients, result.Back.Round(10*time.Millisecond), len(result.Violations))
	fmt.Println(line)
	for _, v := range result.Violations[:min(20, len(result.Violations))] {
		fmt.Printf("  %v\n", v)
	}
	if o.results != "" {
		err = chaos.AppendResult(o.results, o.command(), o.commit, line)
	}
	return len(result.Violations) > 0, err
}

// slow is what three brokers make of a machine with two cores.
func (o *options) slow() int {
	if o.brokers > 1 {
		return 5
	}
	return 1
}

func (o *options) mode() chaos.Mode {
	switch {
	case o.calm:
		return chaos.Calm
	case o.rolling:
		return chaos.Rolling
	case o.handover:
		return chaos.Handover
	}
	return chaos.Chaos
}

// command is how to make the same runs again.
func (o *options) command() string {
	var command string
	switch {
	case o.storm:
		command = fmt.Sprintf("make storm SEED=%d CLIENTS=%d", o.seed, o.clients)
	case o.rolling:
		command = fmt.Sprintf("make soak DURATION=%v SEED=%d CLIENTS=%d", o.duration, o.seed, o.clients)
	case o.handover:
		command = fmt.Sprintf("make handover DURATION=%v SEED=%d", o.duration, o.seed)
	default:
		command = fmt.Sprintf("make chaos DURATION=%v SEED=%d RUNS=%d", o.duration, o.seed, o.runs)
	}
	if o.brokers > 0 {
		command += fmt.Sprint(" BROKERS=", o.brokers)
	}
	return command
}

// mustExist creates the folder; where that fails, what follows says so.
func mustExist(folder string) string {
	_ = os.MkdirAll(folder, 0o755)
	return folder
}
