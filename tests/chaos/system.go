package chaos

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/kraft"
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
	brokers    []*process
	clickhouse *process
	roles      []*process // connectors, workers, projectors
	doors      []*proxy   // before each connector
	store      *proxy     // before ClickHouse
	kafka      []string   // addresses of the brokers
	dsn        string     // past the proxy
}

// startSystem starts a whole system with its data in folder. Its log is on so
// many nodes of Apache Kafka, or on the embedded broker when that is 0.
func startSystem(binary, folder string, nodes int) (s *system, err error) {
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
	if err := s.startBrokers(launch, folder, nodes); err != nil {
		return s, err
	}
	if err := s.startStore(launch, folder); err != nil {
		return s, err
	}
	log := []string{"--kafka", s.kafkaFlag(), "--replication", strconv.Itoa(max(nodes, 1))}
	history := append([]string{"--clickhouse", dsnOf(s.store.addr())}, log...)
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
		if err := s.addRole(launch(fmt.Sprint("connector-", i+1), addr, append([]string{"connector", "--listen", addr}, history...)...)); err != nil {
			return s, err
		}
	}
	for i := range workers {
		if err := s.addRole(launch(fmt.Sprint("chatworker-", i+1), "", append([]string{"chatworker"}, log...)...)); err != nil {
			return s, err
		}
	}
	for i := range projectors {
		if err := s.addRole(launch(fmt.Sprint("projector-", i+1), "", append([]string{"projector"}, history...)...)); err != nil {
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

// launcher starts a process of the program.
type launcher func(name, addr string, args ...string) (*process, error)

func (s *system) startBrokers(launch launcher, folder string, nodes int) error {
	if nodes > 0 {
		return s.startKafka(folder, nodes)
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	broker, err := launch("broker-1", addr, "broker", "--listen", addr, "--data", filepath.Join(folder, "broker"))
	if err != nil {
		return err
	}
	s.brokers, s.kafka = []*process{broker}, []string{addr}
	return nil
}

// startKafka starts the nodes of a cluster like other processes.
func (s *system) startKafka(folder string, nodes int) error {
	cluster, err := kraft.New(kraft.Config{Nodes: nodes, Dir: folder})
	if err != nil {
		return err
	}
	for i, n := range cluster.Nodes {
		program, args := n.Command()
		p := &process{name: fmt.Sprint("broker-", i+1), addr: n.Addr(), binary: program, log: n.Log(), args: args}
		if err := p.start(); err != nil {
			return err
		}
		s.brokers = append(s.brokers, p)
	}
	s.kafka = cluster.Brokers()
	return nil
}

func (s *system) startStore(launch launcher, folder string) error {
	native, err := freeAddress()
	if err != nil {
		return err
	}
	s.dsn = dsnOf(native)
	if s.clickhouse, err = launch("clickhouse-1", native, "clickhouse", "--listen", native, "--data", filepath.Join(folder, "clickhouse")); err != nil {
		return err
	}
	s.store, err = newProxy(native)
	return err
}

// kafkaFlag is the value of --kafka.
func (s *system) kafkaFlag() string { return strings.Join(s.kafka, ",") }

func dsnOf(addr string) string { return "clickhouse://" + addr + "/default" }

func (s *system) addRole(p *process, err error) error {
	if err == nil {
		s.roles = append(s.roles, p)
	}
	return err
}

// all are the processes, servers first.
func (s *system) all() []*process {
	all := slices.Clone(s.brokers)
	if s.clickhouse != nil {
		all = append(all, s.clickhouse)
	}
	return append(all, s.roles...)
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
