package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// order carries out what is about a user or a token, and says what was done.
func (f *consoleFlags) order(ctx context.Context, p process, method string, params any, tell func() error) error {
	return f.call(ctx, p, method, params, nil, new(rpc.Empty), tell)
}

type adminDisconnectCommand struct {
	consoleFlags
	User      channelName `arg:"" help:"Whose sessions."`
	Session   string      `placeholder:"ID" help:"Only this one. Default: all."`
	Reconnect bool        `help:"Let the client connect again at once."`
	Reason    reason      `placeholder:"TEXT" help:"Why: the user is told."`
}

// Help is shown under the command's flags.
func (c *adminDisconnectCommand) Help() string {
	return `Sessions end within a second, on every connector. Without --reconnect the SDK
does not connect again by itself; nothing keeps the user from it: that takes
"parley admin bar". That a user has none is not an error.`
}

// Run disconnects.
func (c *adminDisconnectCommand) Run(ctx context.Context, p process) error {
	params := rpc.DisconnectParams{User: string(c.User), Session: c.Session, Reconnect: c.Reconnect, Reason: string(c.Reason)}
	return c.order(ctx, p, rpc.MethodDisconnect, params, func() error {
		which := "The sessions of %q"
		if c.Session != "" {
			which = "That session of %q"
		}
		_, err := fmt.Fprintf(p.stdout, which+" end within a second.\n", c.User)
		return err
	})
}

type adminRevokeCommand struct {
	consoleFlags
	revokeArgs
}

// Run revokes.
func (c *adminRevokeCommand) Run(ctx context.Context, p process) error {
	params := rpc.RevokeParams{User: string(c.User), JTI: string(c.Token), Before: millis(c.Before.Time), Until: millis(c.Until.Time), Reason: string(c.Reason)}
	return c.order(ctx, p, rpc.MethodRevoke, params, func() (err error) {
		if c.Token != "" {
			_, err = fmt.Fprintln(p.stdout, "The token is revoked: sessions that use it end within a second, and it is refused.")
			return err
		}
		before := c.Before.Time
		if c.Before.isZero() {
			before = time.Now()
		}
		_, err = fmt.Fprintf(p.stdout, "Tokens of %q that were issued before %s are revoked: sessions that use them end within a second, and a newer token lets the user in again.\n", c.User, stamp(before))
		return err
	})
}

// millis is a time in Unix milliseconds; nil for none.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

type adminBarCommand struct {
	consoleFlags
	barArgs
}

// Run bars, or lifts a bar.
func (c *adminBarCommand) Run(ctx context.Context, p process) error {
	until := c.end()
	if c.Lift {
		until = time.Now()
	}
	params := rpc.BarParams{User: string(c.User), Until: millis(until), Reason: string(c.Reason)}
	return c.order(ctx, p, rpc.MethodBar, params, func() error {
		if c.Lift {
			_, err := fmt.Fprintf(p.stdout, "%q is not barred any more, and may come back.\n", c.User)
			return err
		}
		return c.tell(p.stdout, until)
	})
}

type adminGrantCommand struct {
	consoleFlags
	grantArgs
}

// Run grants.
func (c *adminGrantCommand) Run(ctx context.Context, p process) error {
	all, err := c.grants()
	if err != nil {
		return err
	}
	params := rpc.GrantParams{User: string(c.User), Grants: []rpc.Grant{}}
	for _, g := range all {
		params.Grants = append(params.Grants, rpc.Grant{Channels: g.Channels, Allow: g.Allow})
	}
	return c.order(ctx, p, rpc.MethodGrant, params, func() error { return c.tell(p.stdout, all) })
}
