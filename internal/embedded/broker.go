package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	brokerMinSession = time.Second
	// brokerOffsetsRetention is a year, in minutes: committed offsets only
	// serve tools that show lag.
	brokerOffsetsRetention = "525600"
)

// BrokerConfig is where the broker listens and keeps its log.
type BrokerConfig struct {
	// Listen is the host:port to listen at; port 0 takes any free one.
	Listen string
	// DataDir is the folder of the log and of KafkaPasswordFile, which is created
	// where it is missing: clients log in as User, by SASL SCRAM-SHA-256. Without
	// a folder the log is in memory and lost with the broker, and there is no login.
	DataDir string
	// Open lets clients in without a login in any case.
	Open bool
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger

	retainEvery time.Duration // for tests
}

// Broker is a Kafka broker in this process: one node that serves the protocol
// over sockets, and to this process without, and keeps its log on disk.
type Broker struct {
	cluster *kfake.Cluster
	retain  *retention
	ln      *trackedListener
	folder  *Folder
	// password is the file with the password of User, "" for none.
	password string
	stop     sync.Once
	done     chan struct{}
}

// StartBroker starts a broker and returns when it accepts connections. The
// context bounds the start only; Stop ends the broker.
func StartBroker(ctx context.Context, cfg BrokerConfig) (_ *Broker, err error) {
	b := &Broker{done: make(chan struct{})}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.WithLogger(brokerLog{orDiscard(cfg.Logger)}),
		// A short session lets a worker's partitions move quickly when it dies.
		kfake.GroupMinSessionTimeout(brokerMinSession),
		kfake.BrokerConfigs(map[string]string{
			// Nothing is dropped by age unless a topic asks for it.
			"log.retention.ms":          "-1",
			"log.retention.bytes":       "-1",
			"offsets.retention.minutes": brokerOffsetsRetention,
		}),
	}
	if cfg.DataDir != "" {
		if b.folder, err = openServerFolder(ctx, cfg.DataDir); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(b.folder.Path()))
	}
	defer func() {
		if err != nil && b.folder != nil {
			err = errors.Join(err, b.folder.Close())
		}
	}()
	if b.folder != nil && !cfg.Open {
		login, err := brokerLogin(b.folder.Path())
		if err != nil {
			return nil, err
		}
		opts = append(opts, login...)
		b.password = filepath.Join(b.folder.Path(), KafkaPasswordFile)
	}
	ln, err := Listen(ctx, cfg.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	if b.ln, err = newTrackedListener(ln, b.password != ""); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	opts = append(opts, kfake.ListenFn(func(string, string) (net.Listener, error) { return b.ln, nil }))
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, errors.Join(fmt.Errorf("the broker's data in %s cannot be loaded: %w", cfg.DataDir, err), b.ln.Close())
	}
	guardPartitions(b.cluster)
	b.retain = retain(b.cluster, cmp.Or(cfg.retainEvery, retainEvery))
	if b.folder != nil {
		guardDisk(b.cluster, b.folder.Path(), orDiscard(cfg.Logger))
	}
	return b, nil
}

// brokerUsers is where the broker keeps users of its own in its data folder.
const brokerUsers = "sasl.json"

// brokerLogin makes a broker ask for the password in its folder, and for no
// other: one that it remembers from before is removed.
func brokerLogin(dir string) ([]kfake.Opt, error) {
	secret, err := password(filepath.Join(dir, KafkaPasswordFile))
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, brokerUsers)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the broker's former password cannot be removed: %w", err)
	}
	return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", User, secret)}, nil
}

// PasswordFile is the path of the file with the password of User; "" without
// a login.
func (b *Broker) PasswordFile() string { return b.password }

// Addr is the host:port that clients connect to.
func (b *Broker) Addr() string { return b.ln.Addr().String() }

// Dial connects to an address: to the broker's own without a socket, which saves
// the system calls, and to others over TCP. The bytes are the same, the login too.
// It is safe for concurrent use, also after Stop, when the broker's own is refused.
func (b *Broker) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address == b.Addr() {
		return b.ln.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Done is closed when the broker has stopped.
func (b *Broker) Done() <-chan struct{} { return b.done }

// Ended is closed when clients can no longer connect: the broker has stopped, or
// its listener has ended and it must be stopped.
func (b *Broker) Ended() <-chan struct{} { return b.ln.ended }

// Stop writes what is left to disk, closes every connection and gives up the
// folder. Only the first call does anything; all return when it is done or
// when the context ends, in which case the broker continues stopping.
func (b *Broker) Stop(ctx context.Context) error {
	var err error
	b.stop.Do(func() { err = b.shutdown(ctx) })
	return err
}

func (b *Broker) shutdown(ctx context.Context) error {
	result := make(chan error, 1)
	go func() {
		b.retain.stop()
		b.cluster.Close()
		b.ln.closeConns()
		var err error
		if b.folder != nil {
			err = b.folder.Close()
		}
		close(b.done)
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the broker is still writing its log: %w", ctx.Err())
	}
}
