package eventlog

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of the requests of a login, which every broker that is new enough knows.
const (
	handshakeVersion    = 1
	authenticateVersion = 1
)

// login logs in over a new connection.
func (l *link) login(ctx context.Context, conn net.Conn, addr string) error {
	deadline, _ := ctx.Deadline()
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.SetVersion(handshakeVersion)
	hello.Mechanism = l.c.cfg.SASL.Name()
	res, err := l.ask(conn, deadline, hello)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if code := res.(*kmsg.SASLHandshakeResponse).ErrorCode; code != 0 {
		return fmt.Errorf("log in: %w", kafka.Error(code))
	}
	at, err := metadataOf(addr)
	if err != nil {
		return err
	}
	state, says, err := l.c.cfg.SASL.Start(sasl.WithMetadata(ctx, at))
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	for done := false; !done; {
		step := kmsg.NewPtrSASLAuthenticateRequest()
		step.SetVersion(authenticateVersion)
		step.SASLAuthBytes = says
		res, err := l.ask(conn, deadline, step)
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		answer := res.(*kmsg.SASLAuthenticateResponse)
		if answer.ErrorCode != 0 {
			return fmt.Errorf("log in: %w", kafka.Error(answer.ErrorCode))
		}
		if done, says, err = state.Next(ctx, answer.SASLAuthBytes); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	return nil
}

// metadataOf is what mechanisms may want to know of the broker.
func metadataOf(addr string) (*sasl.Metadata, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	return &sasl.Metadata{Host: host, Port: port}, nil
}

// addressOf is the host:port of a broker.
func addressOf(b kafka.Broker) string { return net.JoinHostPort(b.Host, strconv.Itoa(b.Port)) }
