// Command bench measures a whole Parley, started as a user would start it, on
// the machine it runs on, the load generator included. It prints what it
// measured as a table for docs/benchmarks.md.
//
//	go run ./tests/bench --binary bin/parley
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// floods is the part that runs alone: what it leaves in memory would be measured
// with the others.
const floods = "floods"

type bench struct {
	addr   string
	pid    int
	log    string // the server's, a file
	rows   [][2]string
	failed bool // something was beyond its bound
}

func main() {
	binary := flag.String("binary", "bin/parley", "the program to measure")
	history := flag.Int("history", 1_000_000, "messages in the channel that is joined")
	members := flag.Int("members", 1000, "members of the channel that is fanned out to")
	only := flag.String("only", "", "one of small, latency, rooms, fanout, joins, or floods; default: all but floods")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *only, *history, *members); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, binary, only string, history, members int) error {
	data, err := os.MkdirTemp("", "parley-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	addr, err := freeport.Address()
	if err != nil {
		return err
	}
	b := &bench{addr: addr, log: data + ".log"}
	server := exec.CommandContext(ctx, binary, "up", "--listen", addr, "--data", data)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 20 * time.Second
	if only == floods {
		server.Env = append(os.Environ(), "GOMEMLIMIT="+cmp.Or(os.Getenv("GOMEMLIMIT"), "2GiB")) // what it takes on a machine of 4 GiB
	}
	logFile, err := os.Create(b.log)
	if err != nil {
		return err
	}
	defer logFile.Close()
	server.Stdout, server.Stderr = logFile, logFile
	begin := time.Now()
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}()
	b.pid = server.Process.Pid
	if err := b.awaitReady(ctx); err != nil {
		return fmt.Errorf("%w; its log is %s", err, logFile.Name())
	}
	b.row("`parley up` ready on empty data", "%.2f s (goal ≤ 5 s)", time.Since(begin).Seconds())
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"small", func() error { return b.small(ctx) }},
		{"latency", b.latency},
		{"rooms", b.rooms},
		{"fanout", func() error { return b.fanout(ctx, members) }},
		{"joins", func() error { return b.joins(history) }},
		{floods, func() error { return b.floods(ctx) }},
	} {
		if only != part.name && (only != "" || part.name == floods) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.print(only)
	if b.failed {
		return errors.New("more memory was taken than is stated")
	}
	return nil
}

func (b *bench) awaitReady(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r, err := dialRaw(b.addr, "probe")
		if err == nil {
			return r.conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("the server is not ready: %w", err)
		}
	}
}

func (b *bench) row(what, format string, args ...any) {
	r := [2]string{what, fmt.Sprintf(format, args...)}
	fmt.Fprintf(os.Stderr, "%s: %s\n", r[0], r[1])
	b.rows = append(b.rows, r)
}

func (b *bench) print(only string) {
	command := "make bench"
	if only == floods {
		command = "make floods"
	}
	fmt.Printf("\n%s, %s/%s, %d cores, `%s`\n\n", time.Now().UTC().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), command)
	fmt.Println("| what | measured |\n|---|---|")
	for _, r := range b.rows {
		fmt.Printf("| %s | %s |\n", r[0], r[1])
	}
}

// quantile of durations, which it sorts.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(float64(len(d))*q))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
