package eventlog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// refusal marks an error that waiting cannot fix although no broker reported it.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// IsRefused reports whether the cluster turned this client away, for its login,
// its certificate, its protocol or its rights. That is for a person to fix.
func IsRefused(err error) bool {
	var no *refusal
	if errors.As(err, &no) {
		return true
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.TransactionalIDAuthorizationFailed, kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return true
	}
	return false
}

// explainRefusal explains why a cluster turned this client away. It returns
// other errors as they are.
func explainRefusal(err error) error {
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return &refusal{fmt.Errorf("it refuses the user name or password: %w", err)}
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return &refusal{fmt.Errorf("it does not support this SASL mechanism: %w", err)}
	case errors.Is(err, kafka.IllegalSASLState):
		return &refusal{fmt.Errorf("it takes no login at this address, check the port or leave SASL out: %w", err)}
	}
	if why := refusedTLS(err); why != "" {
		return &refusal{fmt.Errorf("%s: %w", why, err)}
	}
	return err
}

const noTLS = "it does not speak TLS at this address, check the port or leave TLS out"

// refusedTLS returns why a TLS connection failed, or "" when err is of another
// kind.
func refusedTLS(err error) string {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var remote *net.OpError
	switch {
	case errors.As(err, &cert):
		return "its certificate is not trusted, check the CA and the name"
	case errors.As(err, &record):
		return noTLS
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "it refuses the TLS connection, check the certificate shown to it"
	}
	return ""
}

// diagnose finds out why a broker hung up. A broker does so on a client that
// speaks another protocol than its listener, and also when it stops: a refusal is what
// the broker itself proves, by answering in that other protocol.
func (c *Client) diagnose(ctx context.Context, broker string, err error) error {
	if !hungUp(err) {
		return err
	}
	why := ""
	switch {
	case c.cfg.TLS == nil && speaksTLS(ctx, broker):
		why = "it speaks TLS at this address, check the port or use TLS"
	case c.cfg.TLS != nil && c.speaksPlainly(ctx, broker):
		why = noTLS
	case c.cfg.SASL == nil && c.wantsLogin(ctx, broker):
		why = "it wants a login at this address, check the port or use SASL"
	default:
		return err
	}
	return &refusal{fmt.Errorf("%s: %w", why, err)}
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// diagnosisTimeout bounds each attempt to speak another protocol.
const diagnosisTimeout = 2 * time.Second

// speaksTLS reports whether a broker answers a TLS handshake.
func speaksTLS(ctx context.Context, broker string) bool {
	ctx, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	// #nosec G402 -- nothing is sent over this connection: its owner does not matter
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", broker)
	if err != nil {
		return refusedTLS(err) != "" && refusedTLS(err) != noTLS
	}
	return conn.Close() == nil
}

// speaksPlainly reports whether a broker answers without TLS.
func (c *Client) speaksPlainly(ctx context.Context, broker string) bool {
	d := c.dialer()
	d.Timeout, d.TLS, d.SASLMechanism = diagnosisTimeout, nil, nil
	return c.ask(ctx, d, broker, func(conn *kafka.Conn) error {
		_, err := conn.ApiVersions()
		return err
	}) == nil
}

// wantsLogin reports whether a broker takes logins and hangs up on clients without one.
func (c *Client) wantsLogin(ctx context.Context, broker string) bool {
	d := c.dialer()
	d.Timeout, d.SASLMechanism = diagnosisTimeout, trialLogin{}
	err := c.ask(ctx, d, broker, func(*kafka.Conn) error { return nil })
	if !errors.Is(err, errTrialLogin) && !errors.Is(err, kafka.UnsupportedSASLMechanism) {
		return false
	}
	return hungUp(c.ask(ctx, c.dialer(), broker, askBrokers))
}

// askBrokers makes the simplest request that a broker does not answer before a
// required login.
func askBrokers(conn *kafka.Conn) error {
	_, err := conn.Brokers()
	return err
}

// ask makes a request over a connection of its own, because the pool hides why
// one cannot be had.
func (c *Client) ask(ctx context.Context, d *kafka.Dialer, broker string, request func(*kafka.Conn) error) error {
	conn, err := d.DialContext(ctx, "tcp", broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline := time.Now().Add(dialTimeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(deadline) {
		deadline = sooner
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return request(conn)
}

// errTrialLogin ends a login that a broker would continue.
var errTrialLogin = errors.New("a login is possible")

// trialLogin is a mechanism that finds out whether logins are accepted.
type trialLogin struct{}

// Name implements sasl.Mechanism.
func (trialLogin) Name() string { return "PLAIN" }

// Start implements sasl.Mechanism.
func (trialLogin) Start(context.Context) (sasl.StateMachine, []byte, error) {
	return nil, nil, errTrialLogin
}
