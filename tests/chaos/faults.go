package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/testing/kraft"
)

// faults does harm, up to two at a time, and heals it.
type faults struct {
	sys    *system
	rec    *recorder
	rng    *rand.Rand // of the planning goroutine
	logger *slog.Logger

	work  sync.WaitGroup
	slots chan struct{} // a slot for each fault under way

	mu   sync.Mutex
	busy map[string]bool // names of what is being harmed
	err  error           // what could not be healed
	done map[string]int  // faults by name
}

// plan is one fault: what is harmed, and how.
type plan struct {
	name    string
	targets []string
	do      func(pause time.Duration) error
}

func newFaults(sys *system, rec *recorder, seed uint64, logger *slog.Logger) *faults {
	return &faults{
		sys: sys, rec: rec, logger: logger, rng: rand.New(rand.NewPCG(seed, 3)),
		slots: make(chan struct{}, 2), busy: map[string]bool{}, done: map[string]int{},
	}
}

// run starts a fault every two to four seconds until ctx ends, and returns
// when all are healed.
func (f *faults) run(ctx context.Context) error {
	for {
		wait := 2*time.Second + time.Duration(f.rng.Int64N(int64(2*time.Second)))
		select {
		case <-ctx.Done():
			f.work.Wait()
			return f.err
		case <-time.After(wait):
		}
		p := f.choose()
		pause := time.Duration(f.rng.Int64N(int64(3 * time.Second)))
		if !f.take(p) {
			continue
		}
		f.logger.Info("fault", "at", f.rec.now().Round(time.Millisecond), "what", p.name, "targets", p.targets)
		f.work.Go(func() {
			defer f.give(p)
			if err := p.do(pause); err != nil {
				f.fail(fmt.Errorf("%s of %v: %w", p.name, p.targets, err))
			}
		})
	}
}

func (f *faults) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// take reserves the plan's targets; false when one is being harmed, or two
// faults are under way.
func (f *faults) take(p plan) bool {
	select {
	case f.slots <- struct{}{}:
	default:
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range p.targets {
		if f.busy[name] {
			<-f.slots
			return false
		}
	}
	for _, name := range p.targets {
		f.busy[name] = true
	}
	f.done[p.name]++
	return true
}

func (f *faults) give(p plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range p.targets {
		delete(f.busy, name)
	}
	<-f.slots
}

// choose plans the next fault.
func (f *faults) choose() plan {
	one := func(role string) *process {
		all := f.sys.named(role)
		return all[f.rng.IntN(len(all))]
	}
	if len(f.sys.brokers) > 1 && f.rng.IntN(6) == 0 {
		return f.moveLeaders()
	}
	anyRole := func() *process { return f.sys.roles[f.rng.IntN(len(f.sys.roles))] }
	switch n := f.rng.IntN(100); {
	case n < 12:
		return f.kill("kill a connector", one("connector"))
	case n < 26:
		return f.kill("kill a worker", one("chatworker"))
	case n < 34:
		return f.kill("kill a projector", one("projector"))
	case n < 42:
		return f.kill("kill a broker", one("broker"))
	case n < 48:
		return f.kill("kill ClickHouse", f.sys.clickhouse)
	case n < 54:
		return f.kill("kill two", anyRole(), anyRole())
	case n < 57:
		return f.kill("kill all workers", f.sys.named("chatworker")...)
	case n < 60:
		return f.kill("kill all roles", f.sys.roles...)
	case n < 62:
		return f.kill("kill everything", f.sys.all()...)
	case n < 68:
		return f.pause(one("connector"), 10*time.Second)
	case n < 75:
		return f.pause(one("chatworker"), 10*time.Second)
	case n < 78:
		return f.pause(one("projector"), 10*time.Second)
	case n < 83:
		return f.pause(one("broker"), 5*time.Second)
	case n < 88:
		return f.spoil("reset", f.rng.IntN(connectors), func(p *proxy, _ time.Duration) { p.reset() })
	case n < 92:
		return f.spoil("slow", f.rng.IntN(connectors), func(p *proxy, d time.Duration) { p.slow(d/15, 512) })
	case n < 95:
		return f.spoil("stall", f.rng.IntN(connectors), func(p *proxy, _ time.Duration) { p.stall() })
	default:
		return f.cutStore()
	}
}

// kill kills processes with SIGKILL, at once, and starts them again later.
func (f *faults) kill(name string, targets ...*process) plan {
	p := plan{name: name}
	var each []*process
	for i, t := range targets {
		if i == 0 || t != targets[0] {
			each = append(each, t)
			p.targets = append(p.targets, t.name)
		}
	}
	p.do = func(pause time.Duration) error {
		var over []func()
		for _, t := range each {
			over = append(over, f.rec.fault(t.name, "kill"))
			t.kill()
		}
		time.Sleep(pause)
		for _, t := range each {
			if err := t.start(); err != nil {
				return err
			}
		}
		for i, t := range each {
			if err := t.listening(startPatience); err != nil {
				return err
			}
			over[i]()
		}
		return nil
	}
	return p
}

// pause stops a process as a debugger or a starved machine does.
func (f *faults) pause(t *process, most time.Duration) plan {
	return plan{"pause a " + roleOf(t.name), []string{t.name}, func(pause time.Duration) error {
		defer f.rec.fault(t.name, "stop")()
		if err := t.pause(); err != nil {
			return err
		}
		time.Sleep(time.Second + pause*(most-time.Second)/(3*time.Second))
		return t.resume()
	}}
}

// spoil harms the connections between clients and a connector.
func (f *faults) spoil(what string, door int, how func(*proxy, time.Duration)) plan {
	name := fmt.Sprint("connector-", door+1)
	return plan{what + " connections", []string{name}, func(pause time.Duration) error {
		defer f.rec.fault(name, what)()
		how(f.sys.doors[door], pause)
		time.Sleep(pause)
		f.sys.doors[door].heal()
		return nil
	}}
}

// moveLeaders lets other brokers lead. Where a broker is away just then, or no
// majority of them is there, nothing moves, which is harmless.
func (f *faults) moveLeaders() plan {
	return plan{"move the leaders", []string{"leaders"}, func(time.Duration) error {
		defer f.rec.fault("leaders", "move")()
		ctx, cancel := context.WithTimeout(context.Background(), startPatience)
		defer cancel()
		if err := kraft.MoveLeaders(ctx, f.sys.kafka); err != nil {
			f.logger.Warn("not all leaders were moved", "error", err)
		}
		return nil
	}}
}

// cutStore makes ClickHouse silent, and cuts its connections.
func (f *faults) cutStore() plan {
	return plan{"cut ClickHouse off", []string{f.sys.clickhouse.name}, func(pause time.Duration) error {
		defer f.rec.fault(f.sys.clickhouse.name, "stall")()
		f.sys.store.stall()
		time.Sleep(2 * pause)
		f.sys.store.reset()
		f.sys.store.heal()
		return nil
	}}
}
