package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/quote"
)

// apiFlags are where backends connect to, and who they are.
type apiFlags struct {
	API          adminAddress `name:"api" empty:"" placeholder:"ADDR" help:"Address of the API for backends. Default: none; for up any free port of this machine."`
	APIKeys      string       `name:"api-keys" placeholder:"FILE" help:"Keys of backends, a line each as parley api-key prints it; read again on SIGHUP. Default: none."`
	APIAudience  string       `name:"api-audience" placeholder:"NAME" help:"Audience (aud) of the tokens that backends may use in place of keys. Default: none, keys alone."`
	APIPlaintext bool         `name:"api-plaintext" help:"Serve the API without TLS, also beyond this machine: something else encrypts."`
	APIRate      int          `name:"api-rate" default:"50000" placeholder:"N" help:"Requests a second of one key of the API; each channel of a broadcast counts; 0 for no limit. Default: ${default}."`

	ownKey bool // the command makes a key itself
}

// Validate implements kong's check of values.
func (f *apiFlags) Validate() error {
	if f.APIRate < 0 {
		return fmt.Errorf("--api-rate is %d: it takes a number from 1 on, or 0 for no limit", f.APIRate)
	}
	return nil
}

// checkAPI checks the address.
func (f *apiFlags) checkAPI() error {
	if f.API == "" {
		return nil
	}
	return embedded.CheckListen(string(f.API), "--api")
}

// into sets what these flags say in a connector's configuration, but for the listener.
func (f *apiFlags) into(cfg *connector.Config, log *slog.Logger) error {
	if f.API == "" {
		if f.APIKeys != "" || f.APIAudience != "" || f.APIPlaintext {
			return errors.New("--api-keys, --api-audience and --api-plaintext are about the API, which takes --api, its address")
		}
		return nil
	}
	at, err := resolved("--api", string(f.API))
	if err != nil {
		return err
	}
	cfg.API = connector.APIConfig{Addr: at, Audience: f.APIAudience, Plaintext: f.APIPlaintext, Rate: orOff(f.APIRate)}
	if f.APIKeys != "" || f.ownKey {
		cfg.API.Keys, err = api.OpenKeys(f.APIKeys, log)
	}
	return err
}

type apiKeyCommand struct {
	Name     string   `arg:"" help:"Name of the key, which everything that is done with it carries."`
	Channels []string `sep:"none" default:"*" placeholder:"PATTERN" help:"In which channels it may do so, by a pattern such as shop-*. May be given several times. Default: all."`
	Allow    []string `default:"api" placeholder:"ACTION,..." help:"What it may do: api, moderate, audit, admin. Default: ${default}."`
	File     string   `placeholder:"FILE" help:"Add its line to this file, that of --api-keys, and print the key alone. Default: print both."`
}

// Help is shown under the command's flags.
func (c *apiKeyCommand) Help() string {
	return `A backend sends the key as "Authorization: Bearer KEY". The file of --api-keys has
only its SHA-256: who reads that file cannot use it. admin takes the channels *.`
}

// Validate is called when the flags are set.
func (c *apiKeyCommand) Validate() error {
	if err := api.CheckName(c.Name); err != nil {
		return err
	}
	_, err := c.grants()
	return err
}

// grants are the grants of the key, as its line has them.
func (c *apiKeyCommand) grants() ([]byte, error) {
	text, err := json.Marshal([]map[string]any{{"channels": c.Channels, "allow": c.Allow}})
	if err != nil {
		return nil, err
	}
	_, unknown, err := grants.ParseBackend(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--channels and --allow: %w", err)
	case len(unknown) > 0:
		return nil, fmt.Errorf("--allow: it takes api, moderate, audit and admin%s", quote.Not(unknown...))
	}
	return text, nil
}

// Run makes a key.
func (c *apiKeyCommand) Run(_ context.Context, p process) error {
	granted, err := c.grants()
	if err != nil {
		return err
	}
	key, sum := api.NewKey()
	line := fmt.Sprintf("%s %s %s\n", c.Name, sum, granted)
	if c.File == "" {
		_, err = fmt.Fprintf(p.stdout, "The key, which nothing shows again:\n%s\nIts line for the file of --api-keys:\n%s", key, line)
		return err
	}
	if err := appendKey(c.File, line); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, key)
	return err
}

// appendKey adds a line to a file of keys, which stays one that can be used.
func appendKey(path, line string) error {
	name := quote.Named("the file of API keys", path)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s cannot be read: %w", name, quote.Reason(err))
	}
	if n := len(text); n > 0 && text[n-1] != '\n' {
		line = "\n" + line
	}
	if _, _, err := api.ParseKeys(append(text, line...)); err != nil {
		return fmt.Errorf("%s with the new key cannot be used: %w", name, err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.WriteString(line)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, quote.Reason(err))
	}
	return nil
}
