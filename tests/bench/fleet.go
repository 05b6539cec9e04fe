package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/kraft"
)

// fleet is a Parley of several processes.
type fleet struct {
	binary, dir, kafka string
	tokens             *issuer  // nil: nobody needs a token
	flags              []string // more of the connectors
	apache             bool     // Apache Kafka is the broker, in place of the embedded one
	cluster            *kraft.Cluster
	processes          []*process
	connectors         []*exec.Cmd
	addrs              []string // of these
	common, stored     []string // flags of all roles, and of those that need ClickHouse
	history            string   // DSN of ClickHouse, with its password
}

// process is one of a fleet, by the command that it runs.
type process struct {
	*exec.Cmd
	role, admin string
	args        []string
}

// withFleet starts a fleet with that many connectors, in a folder of its own, for as long
// as do takes.
func withFleet(ctx context.Context, f *fleet, connectors int, do func(*fleet) error) error {
	dir, err := os.MkdirTemp("", "parley-fleet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f.dir = dir
	defer f.stop()
	if err := f.start(ctx, connectors); err != nil {
		return fmt.Errorf("%w; the logs are in %s", err, dir)
	}
	return do(f)
}

// start starts servers, a projector, a worker and that many connectors, and waits until
// these are ready.
func (f *fleet) start(ctx context.Context, connectors int) error {
	err := f.startServers(ctx)
	if err == nil {
		_, err = f.launch(append([]string{"projector"}, f.stored...)...)
	}
	if err == nil {
		_, err = f.launch(append([]string{"chatworker"}, f.common...)...)
	}
	for range connectors {
		if err == nil {
			err = f.connector()
		}
	}
	for _, addr := range f.addrs {
		if err == nil {
			err = (&bench{addr: addr}).awaitReady(ctx)
		}
	}
	if err == nil {
		err = f.newest("projector").awaitReady(ctx)
	}
	return err
}

// awaitReady waits until a process says that it is ready.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for fetch(ctx, "http://"+p.admin+"/readyz") == "" {
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("the %s is not ready", p.role)
		}
	}
	return nil
}

// startServers starts the broker and ClickHouse.
func (f *fleet) startServers(ctx context.Context) error {
	if err := f.broker(ctx); err != nil {
		return err
	}
	const secret = "of-a-measurement-alone"
	history, err := freeport.Address()
	if err != nil {
		return err
	}
	store := filepath.Join(f.dir, "clickhouse")
	password := filepath.Join(store, embedded.ClickHousePasswordFile)
	if err := errors.Join(os.MkdirAll(store, 0o700), os.WriteFile(password, []byte(secret), 0o600)); err != nil {
		return err
	}
	dsn := "clickhouse://" + embedded.User + "@" + history + "/default"
	f.history = "clickhouse://" + embedded.User + ":" + secret + "@" + history + "/default"
	f.common = []string{"--kafka", f.kafka}
	f.stored = append([]string{"--clickhouse", dsn, "--clickhouse-password-file", password}, f.common...)
	_, err = f.launch("clickhouse", "--listen", history, "--data", store)
	return err
}

func (f *fleet) broker(ctx context.Context) (err error) {
	if !f.apache {
		if f.kafka, err = freeport.Address(); err != nil {
			return err
		}
		_, err = f.launch("broker", "--open", "--listen", f.kafka, "--data", filepath.Join(f.dir, "broker"))
		return err
	}
	if f.cluster, err = kraft.Start(ctx, kraft.Config{Dir: f.dir}); err != nil {
		return err
	}
	f.kafka = f.cluster.Nodes[0].Addr()
	return nil
}

func (f *fleet) connector() error {
	addr, err := freeport.Address()
	if err != nil {
		return err
	}
	args := slices.Concat([]string{"connector", "--listen", addr}, f.flags, f.stored)
	if f.tokens != nil {
		args = append(args, "--auth-key", f.tokens.file)
	}
	p, err := f.launch(args...)
	if err != nil {
		return err
	}
	f.connectors, f.addrs = append(f.connectors, p.Cmd), append(f.addrs, addr)
	return nil
}

// launch starts a command of the program.
func (f *fleet) launch(args ...string) (*process, error) {
	admin, err := freeport.Address()
	if err != nil {
		return nil, err
	}
	p := &process{exec.Command(f.binary, append(args, "--admin", admin)...), args[0], admin, args}
	out, err := os.Create(filepath.Join(f.dir, fmt.Sprintf("%d-%s.log", len(f.processes), p.role)))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.Stdout, p.Stderr = out, out
	if err := p.Start(); err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	return p, nil
}

// end sends a signal that ends a process, and waits until it has.
func (p *process) end(with syscall.Signal) error {
	if err := p.Process.Signal(with); err != nil {
		return err
	}
	var ended *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &ended) {
		return err
	}
	return nil
}

// newest is the process of a role that was started last.
func (f *fleet) newest(role string) *process {
	for _, p := range slices.Backward(f.processes) {
		if p.role == role {
			return p
		}
	}
	return nil
}

// replace ends the newest process of a role by a signal, and starts another one like it.
func (f *fleet) replace(role string, with syscall.Signal) error {
	p := f.newest(role)
	if err := f.end(p, with); err != nil {
		return err
	}
	_, err := f.launch(p.args...)
	return err
}

// end ends a process by a signal, and forgets it.
func (f *fleet) end(p *process, with syscall.Signal) error {
	err := p.end(with)
	f.processes = slices.DeleteFunc(f.processes, func(other *process) bool { return other == p })
	return err
}

// cpu is what all processes that run have used.
func (f *fleet) cpu() (total time.Duration) {
	for _, pid := range f.pids("") {
		total += familyCPU(pid)
	}
	return total
}

// pids are the processes of a role; "": all. Apache Kafka's is broker, too.
func (f *fleet) pids(role string) (pids []int) {
	if f.cluster != nil && (role == "" || role == "broker") {
		pids = append(pids, f.cluster.Nodes[0].PID())
	}
	for _, p := range f.processes {
		if role == "" || role == p.role {
			pids = append(pids, p.Process.Pid)
		}
	}
	return pids
}

// stop ends all processes, those that need others first. ClickHouse is a child of one of
// them, which is given time to wait for it: only then its processor time is counted.
func (f *fleet) stop() {
	for _, p := range slices.Backward(f.processes) {
		_ = p.Process.Signal(syscall.SIGCONT)
		with := syscall.SIGKILL
		if p.role == "clickhouse" {
			with = syscall.SIGTERM
			defer time.AfterFunc(20*time.Second, func() { _ = p.Process.Kill() }).Stop()
		}
		_ = p.end(with)
	}
	if f.cluster != nil {
		f.cluster.Kill()
	}
}
