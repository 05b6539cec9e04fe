package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
)

// coded is an error that ends the program with an exit code of its own.
type coded struct {
	error
	code int
}

func (e *coded) Unwrap() error { return e.error }

// kafkaFlags select the system for an operator's command that needs only the
// log.
type kafkaFlags struct {
	Data string `placeholder:"DIR" help:"Data folder of \"parley up\", in place of addresses. If it is not running, the command starts its servers."`
	clusterFlags
	Wait time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait for servers that do not answer. Default: ${default}."`
}

// operatorFlags select the system for an operator's command.
type operatorFlags struct {
	kafkaFlags
	historyFlags
}

// servers are what an operator's command works with.
type servers struct {
	cluster eventlog.Config
	dsn     string
	kafka   *eventlog.Client
	db      *clickhouse.DB
	away    error        // why ClickHouse is not used; nil: it is, or was not asked for
	own     *stack.Stack // servers started for the command; nil: none
}

// close ends the clients, and the servers that were started for the command.
func (s *servers) close() {
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
	if s.own != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		_ = s.own.Stop(ctx) // its error is of no use to whoever asked for something else
	}
}

// connect opens clients of both servers and waits until they answer.
func (f *operatorFlags) connect(ctx context.Context, log *slog.Logger) (*servers, error) {
	s, err := f.kafkaFlags.connect(ctx, log)
	if err != nil {
		return nil, err
	}
	err = f.openStore(s, log)
	if err == nil {
		err = f.await(ctx, "ClickHouse at "+s.db.Addresses(), s.db.WaitReady)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// awayPatience is how long to wait for a database that is not required.
const awayPatience = 3 * time.Second

// connectWithoutStore is connect where ClickHouse may be down: then
// servers.away is why, and there is no client for it.
func (f *operatorFlags) connectWithoutStore(ctx context.Context, log *slog.Logger) (*servers, error) {
	s, err := f.kafkaFlags.connect(ctx, log)
	if err != nil {
		return nil, err
	}
	if err := f.openStore(s, slog.New(slog.DiscardHandler)); err != nil {
		s.close()
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, min(f.Wait, awayPatience))
	defer cancel()
	if s.away = s.db.Reach(ready); s.away != nil {
		s.db.Close()
		s.db = nil
	}
	return s, nil
}

func (f *operatorFlags) openStore(s *servers, log *slog.Logger) (err error) {
	if s.dsn == "" {
		if s.dsn, err = f.history(); err != nil {
			return err
		}
	}
	s.db, err = clickhouse.New(s.dsn, clickhouse.Options{Logger: log})
	return err
}

// connect opens a client of Kafka and waits until it answers.
func (f *kafkaFlags) connect(ctx context.Context, log *slog.Logger) (*servers, error) {
	s, err := f.find(ctx, log)
	if err != nil {
		return nil, err
	}
	s.cluster.ClientID, s.cluster.Logger = "operator", log
	s.kafka, err = eventlog.New(s.cluster)
	if err == nil {
		err = f.await(ctx, "Kafka at "+strings.Join(s.cluster.Brokers, ","), s.kafka.WaitReady)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// await waits for a server.
func (f *kafkaFlags) await(ctx context.Context, what string, wait func(context.Context) error) error {
	ready, cancel := context.WithTimeout(ctx, f.Wait)
	defer cancel()
	err := wait(ready)
	if err != nil && ready.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%s does not answer within %v: correct the address or start it", what, f.Wait)
	}
	return err
}

// find returns where the servers are. It starts those of a data folder on which
// nothing runs.
func (f *kafkaFlags) find(ctx context.Context, log *slog.Logger) (*servers, error) {
	if f.Data == "" {
		cluster, err := f.cluster()
		return &servers{cluster: cluster}, err
	}
	if a, err := stack.ReadAddresses(f.Data); err == nil && listens(ctx, a.Kafka) {
		cluster, err := a.Log()
		return &servers{cluster: cluster, dsn: a.ClickHouse}, err
	}
	if !embedded.IsFolder(f.Data) {
		return nil, fmt.Errorf("there is no data folder %s: name the one that `parley up --data` was given", f.Data)
	}
	own, err := stack.StartServers(ctx, f.Data, log)
	if err != nil {
		return nil, err
	}
	s := &servers{dsn: own.Addresses().ClickHouse, own: own}
	if s.cluster, err = own.Addresses().Log(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listens reports whether a process listens: a stack that was killed leaves its
// file of addresses.
func listens(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// quiet is the log of an operator's command: what an operator should know, on
// stderr.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
