package cli

import (
	"fmt"
	"net"
	"strconv"
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

// running are the flags of everything that runs.
type running struct {
	Admin     string `default:"127.0.0.1:0" placeholder:"ADDR" help:"Address of /healthz and /readyz; empty for none. Default: ${default}, any free port."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"Least important messages to log: ${enum}."`
	LogFormat string `default:"text" enum:"text,json" help:"Form of the log: ${enum}."`
}
