package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/stack"
)

// coded is an error that ends the program with an exit code of its own.
type coded struct {
	error
	code int
}

func (e *coded) Unwrap() error { return e.error }

// operatorFlags say which system an operator's command is about.
type operatorFlags struct {
	Data       string        `placeholder:"DIR" help:"Data folder of a running \"parley up\", in place of addresses."`
	Kafka      []broker      `default:"127.0.0.1:9092" placeholder:"ADDR" help:"Kafka brokers. Default: ${default}."`
	Clickhouse dsn           `default:"${clickhouse}" placeholder:"DSN" help:"ClickHouse with the history, as clickhouse://[user:password@]host:port/database. Default: ${default}."`
	Wait       time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait for servers that do not answer. Default: ${default}."`
}

// servers are the clients that an operator's command works with.
type servers struct {
	brokers []string
	dsn     string
	kafka   *eventlog.Client
	db      *clickhouse.DB
}

func (s *servers) close() {
	s.kafka.Close()
	s.db.Close()
}

// connect opens clients of both servers and waits until they answer.
func (f *operatorFlags) connect(ctx context.Context, log *slog.Logger) (*servers, error) {
	brokers, database, err := f.addresses()
	if err != nil {
		return nil, err
	}
	kafka, err := eventlog.New(eventlog.Config{Brokers: brokers, ClientID: "operator", Logger: log})
	if err != nil {
		return nil, err
	}
	db, err := clickhouse.New(database, clickhouse.Options{Logger: log})
	if err != nil {
		kafka.Close()
		return nil, err
	}
	s := &servers{brokers, database, kafka, db}
	if err := f.await(ctx, s, brokers); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// await waits for both servers.
func (f *operatorFlags) await(ctx context.Context, s *servers, brokers []string) error {
	ready, cancel := context.WithTimeout(ctx, f.Wait)
	defer cancel()
	what := "Kafka at " + strings.Join(brokers, ",")
	err := s.kafka.WaitReady(ready)
	if err == nil {
		what = "ClickHouse at " + s.db.Addresses()
		err = s.db.WaitReady(ready)
	}
	if err != nil && ready.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%s does not answer within %v: correct the address or start it", what, f.Wait)
	}
	return err
}

func (f *operatorFlags) addresses() (brokers []string, database string, err error) {
	if f.Data != "" {
		a, err := stack.ReadAddresses(f.Data)
		return []string{a.Kafka}, a.ClickHouse, err
	}
	for _, b := range f.Kafka {
		brokers = append(brokers, string(b))
	}
	return brokers, string(f.Clickhouse), nil
}

// quiet is the log of an operator's command: what an operator should know, on
// stderr.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
