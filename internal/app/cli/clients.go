package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/gate"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/quote"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/schema/rpc"
)

// clientFlags are who may connect and what clients may do.
type clientFlags struct {
	authFlags
	Grants         string        `placeholder:"FILE" help:"Grants of every user, beside those of their tokens, as JSON; read again on SIGHUP. Default: none."`
	TLSCert        string        `name:"tls-cert" placeholder:"FILE" help:"Certificate (PEM) for clients, with its chain after it, which makes them connect over TLS; read again when it changes. Default: none, plain HTTP."`
	TLSKey         string        `name:"tls-key" placeholder:"FILE" help:"Key (PEM) of that certificate. Default: none."`
	Open           bool          `help:"Serve everybody without authentication, also beyond this machine."`
	Hosts          []string      `placeholder:"NAME,..." help:"Names that browsers on this machine may use besides localhost, where there is no authentication. Default: none."`
	Proxies        []string      `placeholder:"CIDR,..." help:"Networks of the proxies whose X-Forwarded-For counts. Default: none."`
	Origins        []string      `placeholder:"URL,..." help:"Origins that pages may come from besides the connector's own: https://chat.example.com, https://*.example.com for all below, or * for any. Default: none."`
	MaxConnections int           `default:"100000" placeholder:"N" help:"Connections at once; 0 for as many as files may be open. Default: ${default}."`
	MaxChannels    int           `default:"128" placeholder:"N" help:"Channels that a session may join. Default: ${default}."`
	MaxBody        int           `default:"4096" placeholder:"BYTES" help:"Size of a message. Default: ${default}."`
	MaxData        int           `default:"4096" placeholder:"BYTES" help:"Size of the data of a message. Default: ${default}."`
	EditAge        time.Duration `default:"0s" placeholder:"TIME" help:"Time for which the author may edit and delete a message; 0 for ever. Default: ${default}."`
	MaxQueued      int           `default:"268435456" placeholder:"BYTES" help:"What may wait in the queues of all clients together; beyond it the longest queue is closed as a slow consumer; 0 for no limit. Default: ${default}."`
	PingEvery      time.Duration `default:"25s" placeholder:"TIME" help:"Time between the server's pings. Default: ${default}."`
	PongTimeout    time.Duration `default:"8s" placeholder:"TIME" help:"Time for a client's pong. Default: ${default}."`
	DrainDelay     time.Duration `default:"0s" placeholder:"TIME" help:"Time from a stop, when /readyz says so, until new connections are refused: as long as load balancers take to notice. Default: ${default}."`
	Drain          time.Duration `default:"0s" placeholder:"TIME" help:"Time over which a stop closes connections. Default: ${default}, all at once."`
	Traces         string        `placeholder:"URL" help:"Where clients find a trace: a URL with {trace} in it."`

	beforeChatFlags
	pomeloFlags
	edgeFlags
	apiFlags
}

// Validate implements kong's check of values.
func (f *clientFlags) Validate() error {
	for flag, n := range map[string]int{"--max-connections": f.MaxConnections, "--max-queued": f.MaxQueued} {
		if n < 0 {
			return fmt.Errorf("%s is %d: it takes a number from 1 on, or 0 for no limit", flag, n)
		}
	}
	for flag, n := range map[string]int{"--max-channels": f.MaxChannels, "--max-body": f.MaxBody, "--max-data": f.MaxData} {
		if n < 1 {
			return fmt.Errorf("%s is %d: it takes a number from 1 on", flag, n)
		}
	}
	for flag, d := range map[string]time.Duration{"--ping-every": f.PingEvery, "--pong-timeout": f.PongTimeout} {
		if d <= 0 {
			return fmt.Errorf("%s is %v: it takes a time above 0", flag, d)
		}
	}
	for flag, d := range map[string]time.Duration{"--drain": f.Drain, "--drain-delay": f.DrainDelay, "--edit-age": f.EditAge} {
		if d < 0 {
			return fmt.Errorf("%s is %v: it takes a time from 0 on", flag, d)
		}
	}
	return errors.Join(f.beforeChatFlags.Validate(), f.pomeloFlags.Validate(), f.edgeFlags.Validate(), f.apiFlags.Validate())
}

// config is the checked configuration for clients that connect to an address.
func (f *clientFlags) config(listen address, log *slog.Logger) (connector.Config, error) {
	auth, err := f.auth()
	if err != nil {
		return connector.Config{}, err
	}
	granted, err := f.grants(auth, log)
	if err != nil {
		return connector.Config{}, err
	}
	certificate, err := f.certificate(log)
	if err != nil {
		return connector.Config{}, err
	}
	proxies, err := gate.ParseProxies(f.Proxies)
	if err != nil {
		return connector.Config{}, err
	}
	at, err := resolved("--listen", string(listen))
	if err != nil {
		return connector.Config{}, err
	}
	cfg := connector.Config{
		Certificate: certificate, Auth: auth, Grants: granted, Open: f.Open, Hosts: f.Hosts, Proxies: proxies, Origins: f.Origins, MaxConnections: orOff(f.MaxConnections), MaxQueued: orOff(f.MaxQueued),
		Limits:    rpc.Limits{Channels: f.MaxChannels, Body: f.MaxBody, Data: f.MaxData, EditAge: int(f.EditAge.Milliseconds())},
		PingEvery: f.PingEvery, PongTimeout: f.PongTimeout, Traces: f.Traces,
		DrainDelay: f.DrainDelay, Drain: f.Drain,
	}
	if cfg.Pomelo, err = f.pomelo(); err != nil {
		return connector.Config{}, err
	}
	if cfg.BeforeChat, err = f.screen(log); err != nil {
		return connector.Config{}, err
	}
	f.edgeFlags.into(&cfg)
	if err := f.apiFlags.into(&cfg, log); err != nil {
		return connector.Config{}, err
	}
	cfg.NoClients = string(listen) == noListener
	return cfg, connector.Check(cfg, at)
}

// resolved is the address that a flag names, of which noListener is any of this machine.
func resolved(flag, address string) (*net.TCPAddr, error) {
	if address == noListener {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil
	}
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: the name has no address: %w", quote.Named(flag, address), err)
	}
	return at, nil
}

// grants reads the file of grants; nil where none is given.
func (f *clientFlags) grants(auth *identity.Auth, log *slog.Logger) (*connector.GrantsFile, error) {
	switch {
	case f.Grants == "":
		return nil, nil
	case auth == nil:
		return nil, errors.New("--grants says what users with tokens may do, which takes --auth-key, --auth-secret or --auth-jwks: without any of these everybody may do everything")
	}
	return connector.OpenGrants(f.Grants, log)
}

// certificate reads the certificate for clients; nil where none is given.
func (f *clientFlags) certificate(log *slog.Logger) (*trust.Served, error) {
	switch {
	case f.TLSCert == "" && f.TLSKey == "":
		return nil, nil
	case f.TLSKey == "":
		return nil, errors.New("--tls-cert takes --tls-key with it, the file with the certificate's key")
	case f.TLSCert == "":
		return nil, errors.New("--tls-key takes --tls-cert with it, the file with the key's certificate")
	}
	return trust.OpenServed(f.TLSCert, f.TLSKey, log)
}
