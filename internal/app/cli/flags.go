package cli

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/hostname"
)

// address is a host:port to listen at or to connect to.
type address string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	n, number := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || !isHost(host):
		return takes("an address of the form host:port")
	case number != nil || n == 0 && port != "0":
		return takes("a port from 1 to 65535, or 0 for any free one")
	}
	*a = address(text)
	return nil
}

// isHost reports whether a host may be listened at or connected to; "" is every
// address of this machine.
func isHost(host string) bool {
	if host == "" {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil { // of a link, too
		return true
	}
	_, err := hostname.Canonical(host)
	return err == nil
}

// broker is a host:port to connect to.
type broker string

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *broker) UnmarshalText(text []byte) error {
	var a address
	text = bytes.TrimSpace(text) // in a list that is written with blanks
	err := a.UnmarshalText(text)
	host, port, _ := net.SplitHostPort(string(a))
	if err != nil || host == "" || port == "0" {
		return takes("addresses of the form host:port, without a scheme, user and password (they go to --kafka-user and --kafka-password-file)")
	}
	*b = broker(a)
	return nil
}

// dsn names a ClickHouse database.
type dsn string

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *dsn) UnmarshalText(text []byte) error {
	if _, err := clickhouse.Parse(string(text)); err != nil {
		return takes("a DSN of the form clickhouse://[user:password@]host:port/database: " + err.Error()) // which quotes nothing
	}
	*d = dsn(text)
	return nil
}

// maxCount is beyond what any log has of anything.
const maxCount = 10_000

// count is a number of things; 0 leaves it to a default.
type count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > maxCount {
		return takes(fmt.Sprintf("a number from 1 to %d", maxCount))
	}
	*c = count(n)
	return nil
}

// noListener is an address where nothing listens.
const noListener = "none"

// clientAddress is an address for clients, or noListener.
type clientAddress string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *clientAddress) UnmarshalText(text []byte) error {
	at := address(text)
	if string(text) != noListener {
		if err := at.UnmarshalText(text); err != nil {
			return err
		}
	}
	*a = clientAddress(at)
	return nil
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
	Pprof     bool         `help:"Serve profiles of the Go runtime at /debug/pprof/ of --admin."`
	LogLevel  string       `default:"info" enum:"debug,info,warn,error" help:"Least important messages to log: ${enum}."`
	LogFormat string       `default:"text" enum:"text,json" help:"Form of the log: ${enum}."`
}
