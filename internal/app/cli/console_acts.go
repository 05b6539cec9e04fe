package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// anyJSON is a value that programs make something of; nil for none.
type anyJSON json.RawMessage

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *anyJSON) UnmarshalText(text []byte) error {
	if !json.Valid(text) {
		return takes(`JSON, such as {"order": 17}; a text is in quotes`)
	}
	*v = anyJSON(text)
	return nil
}

type adminPublishCommand struct {
	consoleFlags
	Channel  channelName   `arg:"" help:"In which channel."`
	User     channelName   `arg:"" help:"On behalf of whom, who need not be there."`
	Body     string        `arg:"" help:"The text."`
	To       channelName   `placeholder:"NAME" help:"Only for this user."`
	ID       string        `name:"id" placeholder:"ID" help:"Id of the message: with the same one it is stored once. Default: a new one."`
	Type     string        `placeholder:"NAME" help:"What it is, for programs. Default: text."`
	Content  anyJSON       `placeholder:"JSON" help:"Data of the message, for programs. Default: none."`
	Reply    seq           `placeholder:"SEQ" help:"Seq of the message that it answers."`
	Mentions []channelName `placeholder:"NAME,..." help:"Users that it is meant for."`
}

// Run publishes.
func (c *adminPublishCommand) Run(ctx context.Context, p process) error {
	params := &rpc.PublishParams{User: string(c.User), ChatParams: rpc.ChatParams{
		Channel: string(c.Channel), Body: c.Body, To: string(c.To), ID: c.ID, Type: c.Type, Data: json.RawMessage(c.Content), Reply: int64(c.Reply),
	}}
	if params.Retry = c.ID != ""; !params.Retry {
		params.ID = newID()
	}
	for _, name := range c.Mentions {
		params.Mentions = append(params.Mentions, string(name))
	}
	var r rpc.PublishResult
	return c.call(ctx, p, rpc.MethodPublish, params, func() { params.Retry = true }, &r, func() error {
		_, err := fmt.Fprintf(p.stdout, "Published in %s at seq %d, with the id %s.\n", c.Channel, r.Seq, printable(r.ID))
		return err
	})
}

// act carries out what becomes an event of a channel, and says what was done.
func (f *consoleFlags) act(ctx context.Context, p process, method string, params any, again func(), format string, args ...any) error {
	var r rpc.ActResult
	return f.call(ctx, p, method, params, again, &r, func() error {
		_, err := fmt.Fprintf(p.stdout, format+" (seq %d).\n", append(args, r.Seq)...)
		return err
	})
}

// sanctionArgs are whom a mute or a ban is about, and for how long.
type sanctionArgs struct {
	Channel channelName    `arg:"" help:"In which channel."`
	User    channelName    `arg:"" help:"Whom."`
	For     *time.Duration `placeholder:"TIME" help:"For so long. Default: until it is lifted."`
	Reason  reason         `placeholder:"TEXT" help:"Why: the user is told."`
	Purge   bool           `help:"Delete the user's messages in the channel, too."`
}

// Validate is called when the flags are set.
func (c *sanctionArgs) Validate() error {
	if c.For != nil && *c.For < time.Millisecond {
		return errors.New("--for takes a time above 0, such as 30m or 24h")
	}
	return nil
}

func (c *sanctionArgs) run(ctx context.Context, p process, f *consoleFlags, method, done string) error {
	params := &rpc.SanctionParams{Channel: string(c.Channel), User: string(c.User), Reason: string(c.Reason), ID: newID()}
	end := "until it is lifted"
	if c.For != nil {
		lasts := c.For.Milliseconds()
		params.For, end = &lasts, "for "+c.For.String()
	}
	if c.Purge {
		params.Purge = new(int64)
		end += ", and what they said is deleted"
	}
	return f.act(ctx, p, method, params, func() { params.Retry = true }, "%q is %s %s, %s", c.User, done, c.Channel, end)
}

type adminMuteCommand struct {
	consoleFlags
	sanctionArgs
}

// Run mutes.
func (c *adminMuteCommand) Run(ctx context.Context, p process) error {
	return c.run(ctx, p, &c.consoleFlags, rpc.MethodMute, "muted in")
}

type adminBanCommand struct {
	consoleFlags
	sanctionArgs
}

// Run bans.
func (c *adminBanCommand) Run(ctx context.Context, p process) error {
	return c.run(ctx, p, &c.consoleFlags, rpc.MethodBan, "banned from")
}

type adminKickCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"From which channel."`
	User    channelName `arg:"" help:"Whom."`
	Reason  reason      `placeholder:"TEXT" help:"Why: the user is told."`
}

// Run kicks.
func (c *adminKickCommand) Run(ctx context.Context, p process) error {
	params := &rpc.KickParams{Channel: string(c.Channel), User: string(c.User), Reason: string(c.Reason), ID: newID()}
	return c.act(ctx, p, rpc.MethodKick, params, func() { params.Retry = true }, "%q is put out of %s, and may come back", c.User, c.Channel)
}

type adminLiftCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"In which channel."`
	User    channelName `arg:"" help:"Whose."`
	Action  string      `default:"" enum:",mute,ban" placeholder:"ACTION" help:"Only the mute, or the ban. Default: both."`
}

// Run lifts.
func (c *adminLiftCommand) Run(ctx context.Context, p process) error {
	params := &rpc.LiftParams{Channel: string(c.Channel), User: string(c.User), Action: c.Action, ID: newID()}
	what := "neither muted nor banned"
	switch c.Action {
	case rpc.SanctionMute:
		what = "not muted"
	case rpc.SanctionBan:
		what = "not banned"
	}
	return c.act(ctx, p, rpc.MethodLift, params, func() { params.Retry = true }, "%q is %s in %s any more", c.User, what, c.Channel)
}

type adminPurgeCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"In which channel."`
	User    channelName `arg:"" help:"Whose messages."`
	Since   seq         `placeholder:"SEQ" help:"Those from this seq on. Default: all."`
	Reason  reason      `placeholder:"TEXT" help:"Why, for people."`
}

// Run purges.
func (c *adminPurgeCommand) Run(ctx context.Context, p process) error {
	params := &rpc.PurgeParams{Channel: string(c.Channel), User: string(c.User), Since: int64(c.Since), Reason: string(c.Reason), ID: newID()}
	return c.act(ctx, p, rpc.MethodPurge, params, func() { params.Retry = true }, "What %q said in %s is deleted", c.User, c.Channel)
}

type adminSetCommand struct {
	consoleFlags
	Channel channelName    `arg:"" help:"Of which channel."`
	Slow    *time.Duration `placeholder:"TIME" help:"Time between two messages of a user, in whole seconds; 0s for none."`
	Freeze  bool           `xor:"frozen" help:"Let moderators alone write."`
	Thaw    bool           `xor:"frozen" help:"Let everybody write again."`
	Topic   *string        `placeholder:"TEXT" help:"The topic; empty takes it away."`
	Content anyJSON        `placeholder:"JSON" help:"Data of the channel, for programs; null takes it away."`
}

// Validate is called when the flags are set.
func (c *adminSetCommand) Validate() error {
	switch {
	case c.Slow == nil && !c.Freeze && !c.Thaw && c.Topic == nil && c.Content == nil:
		return errors.New("say what to set: --slow, --freeze, --thaw, --topic or --content")
	case c.Slow != nil && (*c.Slow < 0 || *c.Slow%time.Second != 0):
		return errors.New("--slow takes whole seconds, such as 10s, or 0s for none")
	}
	return nil
}

// Run sets.
func (c *adminSetCommand) Run(ctx context.Context, p process) error {
	params := &rpc.SetParams{Channel: string(c.Channel), Topic: c.Topic, Data: json.RawMessage(c.Content), ID: newID()}
	if c.Slow != nil {
		seconds := int64(*c.Slow / time.Second)
		params.Slow = &seconds
	}
	if c.Freeze || c.Thaw {
		params.Frozen = &c.Freeze
	}
	return c.act(ctx, p, rpc.MethodSet, params, func() { params.Retry = true }, "That is set in %s", c.Channel)
}
