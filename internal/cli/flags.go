package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/embedded"
)

// address is a host:port to listen at or to connect to.
type address string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *address) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return fmt.Errorf("%q is not of the form host:port", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q names the port %q: it takes a number from 0 to 65535", text, port)
	} else if n == 0 && port != "0" {
		return fmt.Errorf("%q names the port %q: any free one is 0", text, port)
	}
	*a = address(text)
	return nil
}

// broker is a host:port to connect to.
type broker string

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *broker) UnmarshalText(text []byte) error {
	var a address
	text = bytes.TrimSpace(text) // of a list that is written with blanks
	err := a.UnmarshalText(text)
	host, port, _ := net.SplitHostPort(string(a))
	if err != nil || host == "" || port == "0" || strings.ContainsAny(host, " \t/@") {
		// What it is may be a part of a password.
		return errors.New("an address to connect to reads host:port, without a scheme, user and password (they go to --kafka-user and --kafka-password-file)")
	}
	*b = broker(a)
	return nil
}

// dsn names a ClickHouse database.
type dsn string

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *dsn) UnmarshalText(text []byte) error {
	if _, err := clickhouse.Parse(string(text)); err != nil {
		return err
	}
	*d = dsn(text)
	return nil
}

// maxCount is beyond what any log has of anything.
const maxCount = 10_000

// count is how many there shall be; 0 leaves it to a default.
type count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > maxCount {
		return fmt.Errorf("%q is not a number from 1 to %d", text, maxCount)
	}
	*c = count(n)
	return nil
}

// listen opens the listener that --listen asks for.
func listen(ctx context.Context, a address) (net.Listener, error) {
	return embedded.Listen(ctx, string(a), "--listen")
}

// adminAddress is an address to listen at, or "" for none.
type adminAddress string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *adminAddress) UnmarshalText(text []byte) error {
	var at address
	if len(text) > 0 {
		if err := at.UnmarshalText(text); err != nil {
			return err
		}
	}
	*a = adminAddress(at)
	return nil
}

// running are the flags of everything that runs.
type running struct {
	Admin     adminAddress `default:"127.0.0.1:0" empty:"" placeholder:"ADDR" help:"Address of /healthz, /readyz and /metrics; empty for none. Default: ${default}, any free port."`
	LogLevel  string       `default:"info" enum:"debug,info,warn,error" help:"Least important messages to log: ${enum}."`
	LogFormat string       `default:"text" enum:"text,json" help:"Form of the log: ${enum}."`
}
