package cli

import (
	"fmt"

	"github.com/parley-chat/parley/connector"
)

// edgeFlags bound what clients may take of a connector. A flag that is not given
// has the default that its help names, and none for an open connector on
// loopback, where all clients are of this machine.
type edgeFlags struct {
	MaxAddressConnections *int `placeholder:"N" help:"Connections at once from one client address, with IPv6 from a /64; 0 for no limit. Default: 1000, none for an open connector on loopback."`
	MaxUserConnections    *int `placeholder:"N" help:"Connections of one user at once; 0 for no limit. Default: 50, none for an open connector on loopback."`
	MaxSilentConnections  *int `placeholder:"N" help:"Connections that have not sent hello yet; 0 for no limit. Default: 2000, none for an open connector on loopback."`
	MaxPlainConnections   *int `placeholder:"N" help:"Connections that are not WebSockets; 0 for no limit. Default: 500, none for an open connector on loopback."`
	ConnectRate           *int `placeholder:"N" help:"Connections a second, a tenth of them from one address; 0 for no limit. Default: 500, none for an open connector on loopback."`
	Rate                  *int `placeholder:"N" help:"Requests a second of one session; 0 for no limit. Default: 100, none for an open connector on loopback."`
	UserRate              *int `placeholder:"N" help:"Requests a second of all sessions of a user; 0 for no limit. Default: 200, none for an open connector on loopback."`
	JoinRate              *int `placeholder:"N" help:"Joins a second of one session; 0 for no limit. Default: 20, none for an open connector on loopback."`
	UserJoinRate          *int `placeholder:"N" help:"Joins a second of all sessions of a user; 0 for no limit. Default: 40, none for an open connector on loopback."`
	ChatRate              *int `placeholder:"N" help:"Messages a second of a user in a channel; 0 for no limit. Default: 10, none for an open connector on loopback."`
	ReadRate              *int `placeholder:"BYTES" help:"Bytes a second that are read from a connection; 0 for no limit. Default: 1048576, none for an open connector on loopback."`
}

// Validate implements kong's check of values.
func (f *edgeFlags) Validate() error {
	for _, l := range []struct {
		flag string
		n    *int
	}{
		{"--max-address-connections", f.MaxAddressConnections}, {"--max-user-connections", f.MaxUserConnections},
		{"--max-silent-connections", f.MaxSilentConnections}, {"--max-plain-connections", f.MaxPlainConnections},
		{"--connect-rate", f.ConnectRate}, {"--rate", f.Rate}, {"--user-rate", f.UserRate},
		{"--join-rate", f.JoinRate}, {"--user-join-rate", f.UserJoinRate}, {"--chat-rate", f.ChatRate}, {"--read-rate", f.ReadRate},
	} {
		// --rate -1 was how to switch it off.
		if l.n != nil && *l.n < 0 && !(l.flag == "--rate" && *l.n == -1) {
			return fmt.Errorf("%s is %d: it takes a number from 1 on, or 0 for no limit", l.flag, *l.n)
		}
	}
	return nil
}

// into sets what these flags say in a connector's configuration.
func (f *edgeFlags) into(cfg *connector.Config) {
	for _, l := range []struct {
		to   *int
		flag *int
	}{
		{&cfg.Edge.AddressConnections, f.MaxAddressConnections}, {&cfg.Edge.UserConnections, f.MaxUserConnections},
		{&cfg.Edge.BeforeHello, f.MaxSilentConnections}, {&cfg.Edge.Plain, f.MaxPlainConnections},
		{&cfg.Edge.Upgrades, f.ConnectRate}, {&cfg.Limits.Rate, f.Rate}, {&cfg.Edge.UserRate, f.UserRate},
		{&cfg.Limits.Joins, f.JoinRate}, {&cfg.Edge.UserJoins, f.UserJoinRate}, {&cfg.Limits.Chats, f.ChatRate}, {&cfg.Edge.ReadRate, f.ReadRate},
	} {
		if l.flag != nil {
			*l.to = orOff(*l.flag)
		}
	}
}

// orOff is a limit as a connector's configuration has it: there 0 means the
// default, and a negative number none.
func orOff(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}
