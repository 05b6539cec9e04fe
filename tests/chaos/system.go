package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/kraft"
)

const (
	connectors = 2
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
	password   string     // file with ClickHouse's

	launch  launcher
	flags   map[string][]string // of each role
	planned bool                // roles come and go in order, and clients know who is ready

	mu sync.RWMutex // guards changes of roles and doors
}

// startSystem starts a whole system as cfg says, with its data in the folder.
func startSystem(cfg Config) (s *system, err error) {
	s = &system{planned: cfg.Mode == Deploy || cfg.Mode == Rolling}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.launch = func(name, addr string, args ...string) (*process, error) {
		p := &process{name: name, addr: addr, binary: cfg.Binary, log: filepath.Join(cfg.Folder, name+".log"), args: args}
		if err := p.start(); err != nil {
			return nil, err
		}
		return p, nil
	}
	if err := s.startBrokers(s.launch, cfg.Folder, cfg.Nodes); err != nil {
		return s, err
	}
	replication := max(cfg.Nodes, 1)
	if cfg.Mode == Rolling {
		if err := markSmall(s.kafka, replication); err != nil {
			return s, err
		}
	}
	if err := s.startStore(s.launch, cfg.Folder); err != nil {
		return s, err
	}
	log := []string{"--kafka", s.kafkaFlag(), "--replication", strconv.Itoa(replication)}
	history := append([]string{"--clickhouse", s.dsnOf(s.store.addr())}, log...)
	s.flags = map[string][]string{"connector": history, "chatworker": log, "projector": history}
	if s.planned {
		s.flags["connector"] = slices.Concat(history, deployFlags)
	}
	for _, role := range []string{"connector", "connector", "chatworker", "chatworker", "projector", "projector"} { // two of each
		if err := s.add(role); err != nil {
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
	addr, err := freeport.Address()
	if err != nil {
		return err
	}
	broker, err := launch("broker-1", addr, "broker", "--open", "--listen", addr, "--data", filepath.Join(folder, "broker"))
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
	// A role that cannot give a topic its replicas ends.
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	return kraft.AwaitBrokers(ctx, s.kafka)
}

func (s *system) startStore(launch launcher, folder string) error {
	native, err := freeport.Address()
	if err != nil {
		return err
	}
	data := filepath.Join(folder, "clickhouse")
	s.password = filepath.Join(data, embedded.ClickHousePasswordFile)
	s.dsn = s.dsnOf(native)
	// Roles may start before ClickHouse has created its password.
	if err := errors.Join(os.MkdirAll(data, 0o700), os.WriteFile(s.password, []byte(rand.Text()), 0o600)); err != nil {
		return err
	}
	if s.clickhouse, err = launch("clickhouse-1", native, "clickhouse", "--listen", native, "--data", data); err != nil {
		return err
	}
	s.store, err = newProxy(native)
	return err
}

// kafkaFlag is the value of --kafka.
func (s *system) kafkaFlag() string { return strings.Join(s.kafka, ",") }

func (s *system) dsnOf(addr string) string {
	return "clickhouse://" + embedded.User + "@" + addr + "/default?password-file=" + strings.ReplaceAll(url.QueryEscape(s.password), "+", "%20")
}

// add starts one more of a role; a connector gets a door.
func (s *system) add(role string) error {
	admin, err := freeport.Address()
	if err != nil {
		return err
	}
	args := append([]string{role, "--admin", admin}, s.flags[role]...)
	addr := ""
	if role == "connector" {
		if addr, err = freeport.Address(); err != nil {
			return err
		}
		door, err := newProxy(addr)
		if err != nil {
			return err
		}
		args = append(args, "--listen", addr)
		s.mu.Lock()
		s.doors = append(s.doors, door)
		s.mu.Unlock()
	}
	p, err := s.launch(fmt.Sprint(role, "-", len(s.named(role))+1), addr, args...)
	if err != nil {
		return err
	}
	p.admin = admin
	s.mu.Lock()
	s.roles = append(s.roles, p)
	s.mu.Unlock()
	return nil
}

// all are the processes, servers first.
func (s *system) all() []*process {
	s.mu.RLock()
	defer s.mu.RUnlock()
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
