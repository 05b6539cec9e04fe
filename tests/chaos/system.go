package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	connectors = 2
	workers    = 2
	projectors = 2
	// startPatience bounds the start of a server on a busy machine.
	startPatience = time.Minute
	stopPatience  = 30 * time.Second
)

// system is everything that runs.
type system struct {
	broker, clickhouse *process
	roles              []*process // connectors, workers, projectors
	doors              []*proxy   // before each connector
	store              *proxy     // before ClickHouse
	kafka, dsn         string     // past the proxies
}

// startSystem starts a whole system with its data in folder.
func startSystem(binary, folder string) (s *system, err error) {
	s = &system{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	launch := func(name, addr string, args ...string) (*process, error) {
		p := &process{name: name, addr: addr, binary: binary, log: filepath.Join(folder, name+".log"), args: args}
		if err := p.start(); err != nil {
			return nil, err
		}
		return p, nil
	}
	if err := s.startServers(launch, folder); err != nil {
		return s, err
	}
	for i := range connectors {
		addr, err := freeAddress()
		if err != nil {
			return s, err
		}
		door, err := newProxy(addr)
		if err != nil {
			return s, err
		}
		s.doors = append(s.doors, door)
		if err := s.addRole(launch(fmt.Sprint("connector-", i+1), addr, "connector", "--listen", addr, "--kafka", s.broker.addr, "--clickhouse", dsnOf(s.store.addr()))); err != nil {
			return s, err
		}
	}
	for i := range workers {
		if err := s.addRole(launch(fmt.Sprint("chatworker-", i+1), "", "chatworker", "--kafka", s.broker.addr)); err != nil {
			return s, err
		}
	}
	for i := range projectors {
		if err := s.addRole(launch(fmt.Sprint("projector-", i+1), "", "projector", "--kafka", s.broker.addr, "--clickhouse", dsnOf(s.store.addr()))); err != nil {
			return s, err
		}
	}
	for _, p := range s.all() {
		if err := p.listening(startPatience); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *system) startServers(launch func(name, addr string, args ...string) (*process, error), folder string) (err error) {
	if s.kafka, err = freeAddress(); err != nil {
		return err
	}
	native, err := freeAddress()
	if err != nil {
		return err
	}
	s.dsn = dsnOf(native)
	if s.broker, err = launch("broker-1", s.kafka, "broker", "--listen", s.kafka, "--data", filepath.Join(folder, "broker")); err != nil {
		return err
	}
	if s.clickhouse, err = launch("clickhouse-1", native, "clickhouse", "--listen", native, "--data", filepath.Join(folder, "clickhouse")); err != nil {
		return err
	}
	s.store, err = newProxy(native)
	return err
}

func dsnOf(addr string) string { return "clickhouse://" + addr + "/default" }

func (s *system) addRole(p *process, err error) error {
	if err == nil {
		s.roles = append(s.roles, p)
	}
	return err
}

// all are the processes, servers first.
func (s *system) all() []*process {
	all := make([]*process, 0, len(s.roles)+2)
	for _, p := range append([]*process{s.broker, s.clickhouse}, s.roles...) {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// named returns the roles of that kind.
func (s *system) named(role string) (found []*process) {
	for _, p := range s.all() {
		if roleOf(p.name) == role {
			found = append(found, p)
		}
	}
	return found
}

// failure is that a process ended on its own; nil when none did.
func (s *system) failure() error {
	var err error
	for _, p := range s.all() {
		err = errors.Join(err, p.failure())
	}
	return err
}

// close kills what runs.
func (s *system) close() error {
	var err error
	for _, p := range s.all() {
		p.kill()
	}
	for _, p := range s.doors {
		err = errors.Join(err, p.close())
	}
	if s.store != nil {
		err = errors.Join(err, s.store.close())
	}
	return err
}
