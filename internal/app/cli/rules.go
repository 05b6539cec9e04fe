package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parley-chat/parley/internal/ops/rules"
)

type revokeCommand struct {
	kafkaFlags
	revokeArgs
}

// revokeArgs are what is revoked.
type revokeArgs struct {
	User   channelName `arg:"" optional:"" help:"Whose tokens."`
	Token  tokenID     `placeholder:"JTI" help:"Only the token with this jti, in place of a user's."`
	Before moment      `placeholder:"WHEN" help:"Those that were issued before then: a time such as 2026-01-31T18:00:00Z, or seconds since 1970 as in iat. Default: now."`
	Until  moment      `placeholder:"WHEN" help:"With --token: when it expires, by its exp. Default: as late as a token can that is issued now."`
	Reason reason      `placeholder:"TEXT" help:"Why, for people."`
}

// Help is shown under the command's flags.
func (c *revokeCommand) Help() string {
	return `Sessions that use a revoked token end within a second, on every connector, and
it is not accepted again. Whoever gets another token may come back: to keep a
user out, use "parley bar".`
}

// Validate is called when the flags are set.
func (c *revokeArgs) Validate() error {
	switch {
	case (c.User == "") == (c.Token == ""):
		return errors.New("name a user, or a token with --token: parley revoke USER, or parley revoke --token JTI")
	case c.Token != "" && !c.Before.isZero():
		return errors.New("--before is for the tokens of a user; --token revokes one, whenever it was issued")
	case c.Token == "" && !c.Until.isZero():
		return errors.New("--until is for --token: tokens of a user are revoked by --before")
	case c.Before.After(time.Now()):
		return errors.New("--before is in the future: tokens that are not issued yet cannot be revoked; `parley bar` keeps a user out")
	case !c.Until.isZero() && c.Until.Before(time.Now()):
		return errors.New("--until has passed: a token that has expired needs no revocation")
	}
	return nil
}

// Run revokes.
func (c *revokeCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	if c.Token != "" {
		return c.revokeToken(ctx, p, s)
	}
	before := c.Before.Time
	if c.Before.isZero() {
		before = time.Now()
	}
	holds, err := rules.Revoke(ctx, s.kafka, string(c.User), before, string(c.Reason))
	if err != nil {
		return err
	}
	if holds.UnixMilli() > before.UnixMilli() {
		_, err = fmt.Fprintf(p.stdout, "Nothing was changed: tokens of %q that were issued before %s are revoked already.\n", c.User, stamp(holds))
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Tokens of %q that were issued before %s are revoked: sessions that use them end within a second, and a newer token lets the user in again.\n", c.User, stamp(holds))
	return err
}

func (c *revokeCommand) revokeToken(ctx context.Context, p process, s *servers) error {
	until, err := rules.RevokeToken(ctx, s.kafka, string(c.Token), c.Until.Time, string(c.Reason))
	if err != nil {
		return err
	}
	remembered := "until " + stamp(until)
	if until.IsZero() {
		remembered = "for ever, because no connector that runs bounds the age of tokens"
	}
	_, err = fmt.Fprintf(p.stdout, "The token is revoked: sessions that use it end within a second, and it is refused, which is remembered %s.\n", remembered)
	return err
}

type barCommand struct {
	kafkaFlags
	barArgs
}

// barArgs are who is barred, and until when.
type barArgs struct {
	User   channelName    `arg:"" help:"Whom."`
	Until  moment         `xor:"end" placeholder:"WHEN" help:"Until then: a time such as 2026-01-31T18:00:00Z, or seconds since 1970. Default: until the bar is lifted."`
	For    *time.Duration `xor:"end" placeholder:"TIME" help:"For so long."`
	Lift   bool           `xor:"end" help:"Lift the bar."`
	Reason reason         `placeholder:"TEXT" help:"Why: the user is told."`
}

// Help is shown under the command's flags.
func (c *barCommand) Help() string {
	return `The user's sessions end within a second, on every connector, and none of them
lets the user in until the bar ends. Names are those in tokens: where a user can
get a token for another name, bar them at the identity provider, too.`
}

// Validate is called when the flags are set.
func (c *barArgs) Validate() error {
	switch {
	case c.For != nil && *c.For <= 0:
		return errors.New("--for takes a time above 0, such as 30m or 24h")
	case !c.Until.isZero() && !c.Until.After(time.Now()):
		return errors.New("--until has passed: --lift lifts a bar")
	}
	return nil
}

// Run bars, or lifts a bar.
func (c *barCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	if c.Lift {
		lifted, err := rules.Lift(ctx, s.kafka, string(c.User), string(c.Reason))
		switch {
		case err != nil:
			return err
		case lifted:
			_, err = fmt.Fprintf(p.stdout, "The bar is lifted: %q may come back.\n", c.User)
		default:
			_, err = fmt.Fprintf(p.stdout, "Nothing was changed: %q is not barred.\n", c.User)
		}
		return err
	}
	until := c.end()
	if err := rules.Bar(ctx, s.kafka, string(c.User), until, string(c.Reason)); err != nil {
		return err
	}
	return c.tell(p.stdout, until)
}

// end is when a bar ends; the zero value: when it is lifted.
func (c *barArgs) end() time.Time {
	if c.For != nil {
		return time.Now().Add(*c.For)
	}
	return c.Until.Time
}

// tell says who is barred, and until when.
func (c *barArgs) tell(w io.Writer, until time.Time) error {
	end := "until " + stamp(until)
	if until.IsZero() {
		end = "until the bar is lifted with --lift"
	}
	_, err := fmt.Fprintf(w, "%q is barred %s: their sessions end within a second, and no connector lets them in.\n", c.User, end)
	return err
}

type rulesCommand struct {
	kafkaFlags
	User channelName `arg:"" optional:"" help:"Only what is about this user. Default: all users, and tokens."`
	JSON bool        `name:"json" help:"Print as JSON."`
}

// Help is shown under the command's flags.
func (c *rulesCommand) Help() string {
	return `Prints what connectors know of users besides their tokens: what parley revoke,
parley bar and parley grant have written, and what is not over.`
}

// Run prints the rules.
func (c *rulesCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	l, err := rules.List(ctx, s.kafka, string(c.User))
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(p.stdout, l)
	}
	if l.Corrupt > 0 {
		fmt.Fprintf(p.stderr, "parley: %d records cannot be decoded, and connectors skip them\n", l.Corrupt)
	}
	if len(l.Rules) == 0 {
		_, err = fmt.Fprintln(p.stdout, "There are no rules.")
		return err
	}
	return printRules(p.stdout, l.Rules)
}

func printRules(w io.Writer, all []rules.Rule) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tUSER OR TOKEN\tMEANS\tBY\tWRITTEN\tREASON")
	for i := range all {
		r := &all[i]
		written := "-"
		if r.Time > 0 {
			written = stamp(time.UnixMilli(r.Time))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Kind, printable(r.User+r.JTI), printable(meaning(r)), printable(r.ByUser+r.ByKey), written, printable(r.Reason))
	}
	return table.Flush()
}

// meaning is what a rule says, in a few words.
func meaning(r *rules.Rule) string {
	switch {
	case r.Before > 0:
		return "tokens issued before " + stamp(time.UnixMilli(r.Before))
	case len(r.Grants) > 0:
		var texts []string
		for _, g := range r.Grants {
			texts = append(texts, strings.Join(g.Allow, ",")+" in "+strings.Join(g.Channels, " "))
		}
		return strings.Join(texts, "; ")
	case r.Until > 0:
		return "until " + stamp(time.UnixMilli(r.Until))
	case r.Session != "":
		return "session " + r.Session
	case r.Kind == "order":
		return "all sessions"
	}
	return "for ever"
}

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
