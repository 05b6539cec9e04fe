package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/ops/console"
	"github.com/parley-chat/parley/internal/trust"
)

// adminCommand are the commands that ask the API.
type adminCommand struct {
	Publish    adminPublishCommand    `cmd:"" help:"Publish a message on behalf of a user."`
	History    adminHistoryCommand    `cmd:"" help:"Print messages of a channel, as a user sees them or all of them."`
	Search     adminSearchCommand     `cmd:"" help:"Print messages of a channel that have words, as a user sees them or all of them."`
	Members    adminMembersCommand    `cmd:"" help:"List the users in a channel."`
	Channels   adminChannelsCommand   `cmd:"" help:"List the channels that have members."`
	Mute       adminMuteCommand       `cmd:"" help:"Mute a user in a channel."`
	Ban        adminBanCommand        `cmd:"" help:"Ban a user from a channel."`
	Kick       adminKickCommand       `cmd:"" help:"Put a user out of a channel, who may come back."`
	Lift       adminLiftCommand       `cmd:"" help:"Lift a mute, a ban, or both."`
	Purge      adminPurgeCommand      `cmd:"" help:"Delete the messages of a user in a channel."`
	Set        adminSetCommand        `cmd:"" help:"Set slow mode, freeze, topic or data of a channel."`
	Sanctions  adminSanctionsCommand  `cmd:"" help:"List the mutes and bans of a channel."`
	Disconnect adminDisconnectCommand `cmd:"" help:"End the sessions of a user, or one of them."`
	Revoke     adminRevokeCommand     `cmd:"" help:"End a user's tokens, or one token, before they expire."`
	Bar        adminBarCommand        `cmd:"" help:"Keep a user out, or lift that."`
	Grant      adminGrantCommand      `cmd:"" help:"Grant a user what their token does not."`
	Info       adminInfoCommand       `cmd:"" help:"Show what runs: connectors, consumer groups and their lag."`
}

// Help is shown above the commands.
func (c *adminCommand) Help() string {
	return `These ask a connector's API for backends. They need an address and a key that
"parley api-key" made, or with --data the folder of a "parley up" that runs,
which has both; no access to Kafka and ClickHouse. What is done carries the
name of the key.`
}

// apiURL is where the API is, as http://host:port; "" for nowhere.
type apiURL string

// UnmarshalText implements encoding.TextUnmarshaler. What a connector listens at will
// do, too.
func (u *apiURL) UnmarshalText(text []byte) error {
	says := takes("a URL such as http://127.0.0.1:8090, or an address of the form host:port")
	at := string(text)
	if !strings.Contains(at, "://") {
		var a address
		if a.UnmarshalText(text) != nil {
			return says
		}
		at = "http://" + at
	}
	parsed, err := url.Parse(at)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return says
	}
	*u = apiURL(parsed.Scheme + "://" + reachable(address(parsed.Host)))
	return nil
}

// consoleFlags are which API to ask, and how to answer.
type consoleFlags struct {
	Data       string        `placeholder:"DIR" help:"Data folder of a \"parley up\" that runs, in place of an address and a key."`
	API        apiURL        `name:"api" placeholder:"URL" help:"Address of the API, such as https://chat-1:8090; host:port alone is HTTP. Default: none."`
	APIKey     string        `name:"api-key" placeholder:"SECRET" help:"Key for it; give it as PARLEY_API_KEY, because others see flags."`
	APIKeyFile string        `name:"api-key-file" placeholder:"FILE" help:"File with that key."`
	APICA      string        `name:"api-ca" placeholder:"FILE" help:"Certificates (PEM) that vouch for the API's, in place of the system's."`
	JSON       bool          `name:"json" help:"Print as JSON."`
	Wait       time.Duration `default:"30s" placeholder:"TIME" help:"How long to wait for servers that do not answer. Default: ${default}."`
}

func (f *consoleFlags) check() error {
	if f.Data != "" {
		return nil
	}
	_, err := f.config()
	return err
}

// config is how to ask the API that the flags name.
func (f *consoleFlags) config() (cfg console.Config, err error) {
	if f.Data != "" {
		return f.ofStack()
	}
	cfg = console.Config{URL: string(f.API), Key: f.APIKey}
	switch {
	case f.API == "":
		return cfg, errors.New("say which API to ask: --api with its address and a key, or --data with the folder of a `parley up` that runs")
	case f.APIKey != "" && f.APIKeyFile != "":
		return cfg, errors.New("the key comes from PARLEY_API_KEY and from --api-key-file: keep one")
	case f.APIKey == "" && f.APIKeyFile == "":
		return cfg, errors.New("the API takes a key, in PARLEY_API_KEY or in --api-key-file; `parley api-key` makes one")
	case f.APIKey == "":
		if cfg.Key, err = trust.Secret(f.APIKeyFile); err != nil {
			return cfg, fmt.Errorf("--api-key-file: %w", err)
		}
	}
	if f.APICA != "" {
		if cfg.TLS, err = (trust.Files{CA: f.APICA}).Config(); err != nil {
			return cfg, fmt.Errorf("--api-ca: %w", err)
		}
	}
	return cfg, nil
}

// ofStack is how to ask the API of a stack that runs.
func (f *consoleFlags) ofStack() (cfg console.Config, err error) {
	at, err := stack.ReadAddresses(f.Data)
	if err != nil {
		return cfg, err
	}
	if at.API == "" {
		return cfg, fmt.Errorf("what runs on %s is a version of parley without an API: restart it", f.Data)
	}
	cfg.URL = at.API
	if cfg.Key, err = trust.Secret(at.APIKeyFile); err != nil {
		return cfg, fmt.Errorf("the key of the API: %w", err)
	}
	if strings.HasPrefix(at.API, "https:") {
		// The certificate has the names that clients use, and not that of this machine's
		// loopback. Whoever listens there instead would get a key that nothing takes.
		cfg.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} // #nosec G402 -- as above
	}
	return cfg, nil
}

// call carries out a method, and prints its result as JSON, or has tell do so for people.
// again marks the params as sent before; nil: they need not be.
func (f *consoleFlags) call(ctx context.Context, p process, method string, params any, again func(), result any, tell func() error) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	cfg.Wait = f.Wait
	cfg.OnWait = func(why error) { fmt.Fprintf(p.stderr, "parley: waiting: %v\n", why) }
	if err := console.New(cfg).Call(ctx, method, params, again, result); err != nil {
		return err
	}
	if f.JSON {
		return printJSON(p.stdout, result)
	}
	return tell()
}

// newID is the id of what is sent, by which a second try is not a second one.
func newID() string { return ulid.Make().String() }

// listing is a table for people.
func listing(p process, head string) *tabwriter.Writer {
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	return table
}

// after says, below a table, how to get what follows the last name in it.
func (p process) after(last string) error {
	_, err := fmt.Fprintf(p.stdout, "(more: --after %q)\n", last)
	return err
}

// stampMs is a time in Unix milliseconds for people.
func stampMs(ms int64) string { return stamp(time.UnixMilli(ms)) }
