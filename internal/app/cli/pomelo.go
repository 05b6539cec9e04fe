package cli

import (
	"errors"
	"fmt"
	"net"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/internal/quote"
)

// pomeloFlags are how clients of pomelo are served.
type pomeloFlags struct {
	Pomelo        address `placeholder:"ADDR" help:"Address for clients written for pomelo, over WebSockets and TCP. Default: none."`
	PomeloEntry   address `placeholder:"HOST:PORT" help:"Where queryEntry sends these clients. Default: where they have asked."`
	PomeloHistory int     `default:"20" placeholder:"N" help:"Messages of a room that those who enter it are shown, 0 to 300. Default: ${default}."`
	PomeloSingle  bool    `help:"Refuse a user of pomelo who is in the room already, on this connector."`
	PomeloRoutes  string  `placeholder:"FILE" help:"Names of an application's routes that differ from those of chatofpomelo, as JSON. Default: none."`
}

// Validate implements kong's check of values.
func (f *pomeloFlags) Validate() error {
	if f.PomeloHistory < 0 || f.PomeloHistory > chat.MaxHistory {
		return fmt.Errorf("--pomelo-history is %d: it takes a number from 0 to %d", f.PomeloHistory, chat.MaxHistory)
	}
	return nil
}

// pomelo is what a connector serves of them; nil: nothing.
func (f *pomeloFlags) pomelo() (*connector.Pomelo, error) {
	if f.Pomelo == "" {
		if f.PomeloEntry != "" || f.PomeloSingle || f.PomeloRoutes != "" {
			return nil, errors.New("--pomelo-entry, --pomelo-single and --pomelo-routes take --pomelo with them, the address for clients of pomelo")
		}
		return nil, nil
	}
	if _, err := net.ResolveTCPAddr("tcp", string(f.Pomelo)); err != nil {
		return nil, fmt.Errorf("%s: the name has no address: %w", quote.Named("--pomelo", string(f.Pomelo)), err)
	}
	if host, port, _ := net.SplitHostPort(string(f.PomeloEntry)); f.PomeloEntry != "" && (host == "" || port == "0") {
		return nil, errors.New("--pomelo-entry takes the host and the port that clients connect to, such as chat.example.com:3050")
	}
	routes := chat.DefaultRoutes()
	if f.PomeloRoutes != "" {
		var err error
		if routes, err = chat.ReadRoutes(f.PomeloRoutes); err != nil {
			return nil, err
		}
	}
	return &connector.Pomelo{Listen: string(f.Pomelo), Settings: chat.Settings{
		Routes: routes, Entry: string(f.PomeloEntry), History: f.PomeloHistory, Single: f.PomeloSingle,
	}}, nil
}
