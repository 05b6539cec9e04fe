package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/ops/rules"
	"github.com/parley-chat/parley/internal/quote"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/strict"
)

type grantCommand struct {
	kafkaFlags
	grantArgs
}

// grantArgs are what is granted, and to whom.
type grantArgs struct {
	User     channelName `arg:"" help:"To whom."`
	Channels []string    `sep:"none" placeholder:"PATTERN" help:"In which channels, by a pattern such as room-*. May be given several times."`
	Allow    []string    `placeholder:"ACTION,..." help:"What they may do there: join, history, chat, private, edit, react, signal, moderate, or * for all but moderate."`
	File     string      `placeholder:"FILE" help:"Several grants, in place of --channels and --allow: JSON of the same form as the file of --grants."`
	None     bool        `help:"Take away what was granted before."`
}

// Help is shown under the command's flags.
func (c *grantCommand) Help() string {
	return `What is granted adds to what the user's token and the connectors' file of
grants allow, and replaces what this command has granted to the user before. It
holds on every connector within a second.`
}

// Validate is called when the flags are set.
func (c *grantArgs) Validate() error {
	byFlags := len(c.Channels) > 0 || len(c.Allow) > 0
	switch {
	case byFlags && (len(c.Channels) == 0 || len(c.Allow) == 0):
		return errors.New("--channels and --allow go together: in which channels, and what is allowed there")
	case byFlags && (c.File != "" || c.None), c.File != "" && c.None, !byFlags && c.File == "" && !c.None:
		return errors.New("say what to grant: --channels and --allow, or --file, or --none")
	}
	_, err := c.grants()
	return err
}

// grants are those that the flags say, which are valid.
func (c *grantArgs) grants() ([]*schema.Grant, error) {
	switch {
	case c.None:
		return nil, nil
	case c.File != "":
		return grantsIn(c.File)
	}
	for i, pattern := range c.Channels {
		if _, err := grants.ParsePattern(pattern); err != nil {
			return nil, fmt.Errorf("--channels: pattern %d %w", i+1, err)
		}
	}
	if len(c.Channels) > grants.MaxPatterns {
		return nil, fmt.Errorf("--channels: there are %d patterns, and a grant has at most %d: use *, or several grants with --file", len(c.Channels), grants.MaxPatterns)
	}
	for _, action := range c.Allow {
		if !grants.Known(action) {
			return nil, unknownActions("--allow", action)
		}
	}
	return []*schema.Grant{{Channels: c.Channels, Allow: c.Allow}}, nil
}

// grantsIn reads a file of grants.
func grantsIn(path string) ([]*schema.Grant, error) {
	name := quote.Named("the file of grants", path)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, quote.Reason(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, grants.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, quote.Reason(err))
	}
	_, unknown, err := grants.ParseFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", name, err)
	}
	if len(unknown) > 0 {
		return nil, unknownActions(name, unknown...)
	}
	var read struct {
		Grants []struct {
			Channels []string `json:"channels"`
			Allow    []string `json:"allow"`
		} `json:"grants"`
	}
	if err := strict.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", name, err)
	}
	all := make([]*schema.Grant, len(read.Grants))
	for i, g := range read.Grants {
		all[i] = &schema.Grant{Channels: g.Channels, Allow: g.Allow}
	}
	return all, nil
}

func unknownActions(where string, unknown ...string) error {
	which := "what is allowed"
	if quote.Safe(unknown[0]) {
		which = strconv.Quote(unknown[0])
	}
	return fmt.Errorf("%s: %s is not an action: there are join, history, chat, private, edit, react, signal, moderate, and * for all but moderate", where, which)
}

// Run grants.
func (c *grantCommand) Run(ctx context.Context, p process) error {
	all, err := c.grants()
	if err != nil {
		return err
	}
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	if err := rules.SetGrants(ctx, s.kafka, string(c.User), all); err != nil {
		return err
	}
	return c.tell(p.stdout, all)
}

// tell says what is granted now.
func (c *grantArgs) tell(w io.Writer, all []*schema.Grant) (err error) {
	switch {
	case len(all) == 0:
		_, err = fmt.Fprintf(w, "What was granted to %q is taken away: what their token and the connectors' file of grants allow stays.\n", c.User)
	case len(all) == 1:
		_, err = fmt.Fprintf(w, "%q may %s in %s from now on, besides what their token and the connectors' file of grants allow.\n",
			c.User, printable(strings.Join(all[0].Allow, ", ")), printable(strings.Join(all[0].Channels, " ")))
	default:
		_, err = fmt.Fprintf(w, "%q has these %d grants from now on, besides what their token and the connectors' file of grants allow.\n", c.User, len(all))
	}
	return err
}
