package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

const (
	// drainPatience is how long everything may take to arrive once the faults
	// have stopped.
	drainPatience = 30 * time.Second
	collectEvery  = time.Second
)

// Config configures a run.
type Config struct {
	// Binary is the program, as Build made it.
	Binary string
	// Newer is a program that knows one format of the log more, for Upgrade.
	Newer string
	// Folder gets data and logs of the processes, and the recording. It must
	// exist.
	Folder string
	// Seed decides what is done.
	Seed uint64
	// Duration of the faults. Default 30 s.
	Duration time.Duration
	// Clients is how many chat. Default 24.
	Clients int
	// Nodes of Apache Kafka that keep the log; 0 for the embedded broker. Faults
	// strike one of them at a time, and move the leaders, when there are several.
	Nodes int
	// Slow is what limits of time are multiplied with; 0 means 1.
	Slow int
	// Mode is what is done to the system. Default Chaos.
	Mode Mode
	// Impatient takes the first look at what came of the run as the last.
	Impatient bool
	// Look, when not nil, gets what the result was made of.
	Look func(*checker.Input)
	// Logger gets what happens; nil for none.
	Logger *slog.Logger
}

func (cfg *Config) slow(d time.Duration) time.Duration { return d * time.Duration(max(cfg.Slow, 1)) }

// Mode is what is done to a system.
type Mode int

const (
	// Chaos kills, pauses and cuts off.
	Chaos Mode = iota
	// Rolling restarts every role in order, each as soon as the one before is
	// ready, again and again. The log has a void window of [soakWindow] offsets.
	Rolling
	// Handover stops, starts and kills workers, one at a time.
	Handover
	// Calm does nothing.
	Calm
	// Upgrade replaces every role by one of a newer program, once, and takes as
	// long as that takes.
	Upgrade
	// Deploy restarts every role once and waits until it is ready, then adds one
	// of each and takes it away again, as Kubernetes would. It takes as long as
	// that takes.
	Deploy
)

// Result is what became of a run.
type Result struct {
	checker.Report
	// Faults that struck, by name.
	Faults map[string]int
	// Drained is how long everything took to arrive after the last fault.
	Drained time.Duration
	// Takeover is the slowest delivery while workers, and nothing else that
	// matters to it, were harmed.
	Takeover time.Duration
	// Handovers are filled in by a run of that Mode.
	Handovers Handovers
	// Ends are the close codes with which servers ended connections, by how
	// often; 1006 is one that was cut. Refused are what else clients met that
	// was no fault of theirs.
	Ends    map[int]int
	Refused []string
	// Usage is the most that a process of each role took in the first and in the
	// last third of the run.
	Usage map[string][2]Usage
}

// run is one run under way.
type run struct {
	Config
	sys     *system
	rec     *recorder
	faults  *faults
	persons []*person
	usage   *usage
	quiet   chan struct{}
	curious bool // some read everything again in the end
	crowd   sync.WaitGroup
}

// Run starts a system, lets clients chat and faults strike, and checks what
// came of it. The recording and the logs stay in the folder. An error means
// that the run could not be made, or that a process ended on its own.
func Run(ctx context.Context, cfg Config) (result *Result, err error) {
	if cfg.Duration == 0 {
		cfg.Duration = 30 * time.Second
	}
	if cfg.Clients == 0 {
		cfg.Clients = 24
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sys, err := startSystem(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	r := &run{Config: cfg, sys: sys, rec: newRecorder(), quiet: make(chan struct{}), curious: true}
	r.faults = newFaults(sys, r.rec, cfg.Seed, cfg.Logger)
	ctx, cancel := context.WithCancel(ctx)
	r.usage = &usage{sys: sys, duration: cfg.Duration, start: time.Now()}
	defer r.crowd.Wait()
	defer cancel()
	r.enter(ctx)
	r.crowd.Go(func() { r.usage.watch(ctx) })
	moderated := make(chan error, 1)
	r.crowd.Go(func() {
		if r.Mode == Upgrade { // whose log begins with a format without purges
			moderated <- nil
			return
		}
		moderated <- r.moderate(ctx)
	})
	if err := errors.Join(r.strike(ctx), <-moderated); err != nil {
		return nil, err
	}
	return r.judge(ctx)
}

// enter lets the clients in.
func (r *run) enter(ctx context.Context) {
	var users []string
	for i := range r.Clients {
		users = append(users, fmt.Sprintf("user-%02d", i*5/6)) // some have two devices
	}
	for i, user := range users {
		p := &person{
			user: user, device: fmt.Sprint("device-", i), plain: r.Mode == Upgrade && i%4 == 3, curious: r.curious && i%4 == 0, sys: r.sys, rec: r.rec, quiet: r.quiet, others: users,
			rng:   rand.New(rand.NewPCG(r.Seed, uint64(100+i))),
			wants: map[string]bool{channels[i%len(channels)]: true, channels[(i+1)%len(channels)]: true}, seen: map[string]place{},
		}
		if r.sys.secret != nil && isModerator(user) {
			p.standing = map[standing]bool{}
		}
		r.persons = append(r.persons, p)
		r.crowd.Go(func() { p.run(ctx) })
	}
}

// strike harms the system for the duration.
func (r *run) strike(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	var err error
	switch r.Mode {
	case Chaos:
		err = r.faults.run(timed)
	case Rolling:
		err = r.roll(ctx, timed)
	case Handover:
		err = r.faults.handOver(timed)
	case Calm:
		<-timed.Done()
	case Upgrade:
		err = r.upgrade(ctx)
	case Deploy:
		err = r.deploy(ctx)
	}
	close(r.quiet)
	return errors.Join(err, ctx.Err(), r.sys.failure())
}

// judge waits until everything has arrived, and checks.
func (r *run) judge(ctx context.Context) (*Result, error) {
	c, err := newCollector(r.sys)
	if err != nil {
		return nil, err
	}
	healed := time.Now()
	result := &Result{Faults: r.faults.done}
	for {
		over := time.Since(healed) > r.slow(drainPatience) || r.Impatient && r.settled()
		in, err := r.input(ctx, c, over)
		if err == nil && (over || r.settled()) {
			report, err := checker.Check(*in)
			if err != nil {
				return nil, errors.Join(err, c.close())
			}
			if len(report.Violations) == 0 || over {
				if r.Look != nil {
					r.Look(in)
				}
				result.Report, result.Drained = *report, time.Since(healed)
				result.Takeover, result.Usage = slowestDelivery(in, "chatworker"), r.usage.thirds()
				if r.Mode == Handover {
					result.Handovers = handovers(in)
				}
				return result, errors.Join(r.finish(result, in), c.close())
			}
		}
		if over && err != nil {
			return nil, errors.Join(err, c.close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.close())
		case <-time.After(collectEvery):
		}
	}
}

// input collects what there is to check. The recording is read last: nothing
// may be missing from it that the log has.
func (r *run) input(ctx context.Context, c *collector, last bool) (*checker.Input, error) {
	patience := r.slow(drainPatience)
	if last {
		patience *= 2
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &checker.Input{Start: r.rec.start, Drained: true, Slow: r.Slow, Older: r.Newer != ""}
	if err := c.collect(ctx, in); err != nil {
		return nil, err
	}
	in.Entries = r.rec.snapshot()
	return in, nil
}

func (r *run) settled() bool {
	for _, p := range r.persons {
		if !p.settled.Load() {
			return false
		}
	}
	return true
}

// finish adds what only the processes report, and writes the recording.
func (r *run) finish(result *Result, in *checker.Input) error {
	result.Ends, result.Refused = r.rec.met(in)
	if !r.settled() {
		result.Violations = append(result.Violations, checker.Violation{Rule: checker.Drained, Text: fmt.Sprintf("a client is not back after %v", r.slow(drainPatience))})
	}
	leak, err := secretsIn(r.sys.all())
	if leak != "" {
		result.Violations = append(result.Violations, checker.Violation{Rule: checker.Private, Text: "a private message in the log of " + leak})
	}
	file, createErr := os.Create(filepath.Join(r.Folder, "recording.jsonl"))
	if createErr != nil {
		return errors.Join(err, createErr, r.sys.failure())
	}
	return errors.Join(err, checker.Write(file, in.Entries), file.Close(), r.sys.failure())
}
