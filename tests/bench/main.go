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
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// floods, idle and hostile run alone, as floor does: what they leave in memory would be
// measured with the others, and hostile needs authentication.
const (
	floods  = "floods"
	idle    = "idle"
	hostile = "hostile"
)

type bench struct {
	addr string
	// pomeloAddr is the server's address for clients of pomelo.
	pomeloAddr string
	pid        int
	data       string // the server's folder
	log        string // the server's, a file
	rows       [][2]string
	tokens     *issuer
	admin      string // the server's address of metrics, once it is known
	failed     string // what was beyond its bound; "": nothing
}

// options are what the parts are run with.
type options struct {
	history, longest, searched, members, clients, hostile int
	duration                                              time.Duration
	attack, pomelo, peer, curves                          string
}

func main() {
	binary := flag.String("binary", "bin/parley", "the program to measure")
	var o options
	flag.IntVar(&o.history, "history", 1_000_000, "messages in the channel that is joined")
	flag.IntVar(&o.searched, "searched", 1_000_000, "messages that are searched")
	flag.IntVar(&o.members, "members", 1000, "members of the channel that is fanned out to")
	flag.IntVar(&o.clients, "clients", 20_000, "connections among which are hostile ones")
	flag.DurationVar(&o.duration, "duration", 10*time.Minute, "time without hostile clients, and with them")
	flag.StringVar(&o.attack, "attack", "", "the only attack of hostile clients, by a part of its name; each: one after the other")
	flag.StringVar(&o.pomelo, "pomelo", "", "folder of an application of pomelo to measure beside, tests/bench/pomelo; default: none")
	flag.StringVar(&o.peer, "peer", "", "Centrifugo's binary, to measure it in turns with Parley; --only is rooms, fanout or idle then; default: none")
	flag.IntVar(&o.hostile, "hostile", 0, "hostile clients; default: 1 % of the clients")
	flag.StringVar(&o.curves, "curves", "", "folder to write growth curves into, as data; --only is one of them then; default: none")
	flag.IntVar(&o.longest, "longest", usualLongest, "messages of the longest history of the growth curves")
	only := flag.String("only", "", "one of small, latency, rooms, signals, fanout, pomelo, reactions, joins, search, api, revocation, or floor, floods, idle, hostile, costs; default: all but the last five")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *only, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, binary, only string, o options) error {
	switch only {
	case attackers:
		return attack(ctx, os.Stdin)
	case signallers:
		return signallersOf(os.Stdin, os.Stdout)
	}
	if o.curves != "" {
		return curves(ctx, binary, only, o)
	}
	if only == costs {
		return measureCosts(ctx, binary)
	}
	b, stop, err := serve(ctx, binary, only)
	if err != nil {
		return err
	}
	defer stop()
	if o.peer != "" {
		err = b.besidePeer(ctx, only, o)
	} else {
		err = b.parts(ctx, binary, only, o)
	}
	b.print(only)
	if err != nil {
		return fmt.Errorf("%w; the server's log is %s", err, b.log)
	}
	if b.failed != "" {
		return errors.New(b.failed)
	}
	return nil
}

// serve starts the server on empty data, which stop deletes.
func serve(ctx context.Context, binary, only string) (b *bench, stop func(), err error) {
	data, err := os.MkdirTemp("", "parley-bench")
	if err != nil {
		return nil, nil, err
	}
	b = &bench{data: filepath.Join(data, "data"), log: data + ".log"}
	end, err := b.start(ctx, binary, only)
	if err != nil {
		_ = os.RemoveAll(data)
		return nil, nil, err
	}
	return b, func() { end(); _ = os.RemoveAll(data) }, nil
}

// start starts the server and waits until it is ready.
func (b *bench) start(ctx context.Context, binary, only string) (stop func(), err error) {
	if b.addr, err = freeport.Address(); err != nil {
		return nil, err
	}
	if b.pomeloAddr, err = freeport.Address(); err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, binary, "up", "--listen", b.addr, "--pomelo", b.pomeloAddr, "--data", b.data, "--api-rate", "0")
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 20 * time.Second
	switch only {
	case floods:
		server.Env = append(os.Environ(), "GOMEMLIMIT="+cmp.Or(os.Getenv("GOMEMLIMIT"), "2GiB")) // what it takes on a machine of 4 GiB
	case hostile:
		if b.tokens, err = newIssuer(filepath.Dir(b.data)); err != nil {
			return nil, err
		}
		server.Args = append(server.Args, "--auth-key", b.tokens.file)
	}
	logFile, err := os.Create(b.log)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	server.Stdout, server.Stderr = logFile, logFile
	begin := time.Now()
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}
	b.pid = server.Process.Pid
	if err := b.awaitReady(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("%w; its log is %s", err, logFile.Name())
	}
	b.row("`parley up` ready on empty data", "%.2f s (goal ≤ 5 s)", time.Since(begin).Seconds())
	return stop, nil
}

// parts runs one part, or all that need not run alone.
func (b *bench) parts(ctx context.Context, binary, only string, o options) error {
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"small", func() error { return b.small(ctx) }},
		{"latency", b.latency},
		{"rooms", b.rooms},
		{"signals", func() error { return b.signals(ctx) }},
		{"fanout", func() error { return b.fanout(ctx, o.members) }},
		{"pomelo", func() error { return b.pomelo(ctx, o.members, o.pomelo) }},
		{"reactions", b.reactions},
		{"joins", func() error { return b.joins(o.history) }},
		{"search", func() error { return b.search(ctx, o.searched) }},
		{"api", func() error { return b.api(ctx) }},
		{"revocation", func() error { return b.revocation(ctx, binary) }},
		{floor, func() error { return b.floor(ctx, o.members) }},
		{floods, func() error { return b.floods(ctx) }},
		{idle, func() error { return b.idle(ctx) }},
		{hostile, func() error { return b.hostile(ctx, o) }},
	} {
		if only != part.name && (only != "" || slices.Contains([]string{floor, floods, idle, hostile}, part.name)) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (b *bench) awaitReady(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		r, err := dialFrom("", b.addr)
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
	switch only {
	case floods, hostile:
		command = "make " + only
	case idle, floor:
		command = "go run ./tests/bench --only " + only
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
