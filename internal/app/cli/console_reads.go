package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

type adminHistoryCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"The channel."`
	As      channelName `placeholder:"NAME" help:"As this user sees them. Default: all of them, which takes the action audit."`
	Before  seq         `xor:"where" placeholder:"SEQ" help:"The newest messages below this seq."`
	After   seq         `xor:"where" placeholder:"SEQ" help:"The oldest messages above this seq."`
	Around  seq         `xor:"where" placeholder:"SEQ" help:"Messages around this seq."`
	Reply   seq         `placeholder:"SEQ" help:"Only answers to this message."`
	User    channelName `placeholder:"NAME" help:"Only what this user said."`
	Limit   count       `default:"50" placeholder:"N" help:"Messages at most. Default: ${default}."`
	Epoch   string      `placeholder:"NAME" help:"The epoch in which seqs count. Default: the current one."`
}

// Run prints a page.
func (c *adminHistoryCommand) Run(ctx context.Context, p process) error {
	params := &rpc.BackendHistoryParams{As: string(c.As), HistoryParams: rpc.HistoryParams{
		Channel: string(c.Channel), Before: given(c.Before), After: given(c.After), Around: given(c.Around), Reply: given(c.Reply),
		User: string(c.User), Epoch: c.Epoch, Limit: (*int)(&c.Limit),
	}}
	var r rpc.HistoryResult
	return c.call(ctx, p, rpc.MethodHistory, params, nil, &r, func() error { return c.print(p.stdout, &r) })
}

// given is a seq where there is one.
func given(n seq) *int64 {
	if n == 0 {
		return nil
	}
	v := int64(n)
	return &v
}

func (c *adminHistoryCommand) print(w io.Writer, r *rpc.HistoryResult) error {
	out := bufio.NewWriter(w)
	first, last := r.Next, cmp.Or(r.Seq, r.Next)
	if n := len(r.Messages); n > 0 {
		first, last = cmp.Or(first, r.Messages[0].Seq), cmp.Or(last, r.Messages[n-1].Seq)
	}
	if r.More && c.After == 0 && first > 0 {
		fmt.Fprintf(out, "(older ones: --before %d)\n", first)
	}
	if r.Older != "" {
		fmt.Fprintf(out, "(before this epoch: --epoch %s)\n", r.Older)
	}
	if len(r.Messages) == 0 {
		fmt.Fprintln(out, "No messages.")
	}
	for i := range r.Messages {
		printMessage(out, &r.Messages[i])
	}
	if (r.More && c.After > 0 || r.Newer) && last > 0 {
		fmt.Fprintf(out, "(newer ones: --after %d)\n", last)
	}
	return out.Flush()
}

type adminSearchCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"The channel."`
	Query   string      `arg:"" help:"Words, all of which a message has to have."`
	As      channelName `placeholder:"NAME" help:"As this user sees them. Default: all of them, which takes the action audit."`
	User    channelName `placeholder:"NAME" help:"Only what this user said."`
	Before  string      `placeholder:"CURSOR" help:"Go on where the page before ended, which says it."`
	Limit   count       `default:"20" placeholder:"N" help:"Messages at most. Default: ${default}."`
}

// Run prints a page of what is found, oldest first as in a history.
func (c *adminSearchCommand) Run(ctx context.Context, p process) error {
	params := &rpc.BackendSearchParams{As: string(c.As), SearchParams: rpc.SearchParams{
		Query: c.Query, Channel: string(c.Channel), User: string(c.User), Before: c.Before, Limit: (*int)(&c.Limit),
	}}
	var r rpc.SearchResult
	return c.call(ctx, p, rpc.MethodSearch, params, nil, &r, func() error {
		out := bufio.NewWriter(p.stdout)
		if r.More {
			fmt.Fprintf(out, "(older ones: --before %s)\n", r.Before)
		}
		if len(r.Messages) == 0 && !r.More {
			fmt.Fprintln(out, "No messages.")
		}
		for _, m := range slices.Backward(r.Messages) {
			printMessage(out, &m.Message)
		}
		return out.Flush()
	})
}

type adminMembersCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"Of which channel."`
	After   channelName `placeholder:"NAME" help:"Users after this one, by bytes."`
	Limit   count       `default:"200" placeholder:"N" help:"Users at most. Default: ${default}."`
}

// Run lists members.
func (c *adminMembersCommand) Run(ctx context.Context, p process) error {
	var r rpc.MembersResult
	params := rpc.MembersParams{Channel: string(c.Channel), After: string(c.After), Limit: (*int)(&c.Limit)}
	return c.call(ctx, p, rpc.MethodMembers, params, nil, &r, func() error {
		table := listing(p, "USER\tINFO")
		for _, m := range r.Members {
			fmt.Fprintf(table, "%s\t%s\n", printable(m.User), printable(string(m.Info)))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "%d of %d\n", len(r.Members), r.Count)
		return err
	})
}

type adminChannelsCommand struct {
	consoleFlags
	Prefix string      `placeholder:"TEXT" help:"Those whose names begin so."`
	After  channelName `placeholder:"NAME" help:"Channels after this one, by bytes."`
	Limit  count       `default:"200" placeholder:"N" help:"Channels at most. Default: ${default}."`
}

// Run lists channels.
func (c *adminChannelsCommand) Run(ctx context.Context, p process) error {
	var r rpc.ChannelsResult
	params := rpc.ChannelsParams{Prefix: c.Prefix, After: string(c.After), Limit: (*int)(&c.Limit)}
	return c.call(ctx, p, rpc.MethodChannels, params, nil, &r, func() error {
		table := listing(p, "CHANNEL\tUSERS\tNEWEST SEQ")
		for _, ch := range r.Channels {
			fmt.Fprintf(table, "%s\t%d\t%d\n", printable(ch.Channel), ch.Count, ch.Last)
		}
		n := len(r.Channels)
		if err := table.Flush(); err != nil || !r.More || n == 0 {
			return err
		}
		return p.after(r.Channels[n-1].Channel)
	})
}

type adminSanctionsCommand struct {
	consoleFlags
	Channel channelName `arg:"" help:"Of which channel."`
	After   channelName `placeholder:"NAME" help:"Of users after this one, by bytes."`
	Limit   count       `default:"200" placeholder:"N" help:"Users at most. Default: ${default}."`
}

// Run lists mutes and bans.
func (c *adminSanctionsCommand) Run(ctx context.Context, p process) error {
	var r rpc.SanctionsResult
	params := rpc.SanctionsParams{Channel: string(c.Channel), After: string(c.After), Limit: (*int)(&c.Limit)}
	return c.call(ctx, p, rpc.MethodSanctions, params, nil, &r, func() error {
		table := listing(p, "USER\tACTION\tUNTIL\tBY\tREASON")
		for _, s := range r.Sanctions {
			until := "it is lifted"
			if s.Until > 0 {
				until = stampMs(s.Until)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(s.User), s.Action, until, printable(author(s.By)), printable(s.Reason))
		}
		n := len(r.Sanctions)
		if err := table.Flush(); err != nil || !r.More || n == 0 {
			return err
		}
		return p.after(r.Sanctions[n-1].User)
	})
}

// author is who acted, for people.
func author(by rpc.Author) string {
	if by.User == "" {
		return "key " + by.Key
	}
	return by.User
}

type adminInfoCommand struct{ consoleFlags }

// Run shows what runs.
func (c *adminInfoCommand) Run(ctx context.Context, p process) error {
	var r rpc.InfoResult
	return c.call(ctx, p, rpc.MethodInfo, rpc.Empty{}, nil, &r, func() error {
		fmt.Fprintf(p.stdout, "Epoch %s, format %d, %d partitions; %d sessions on the connector that answers.\n\n", r.Epoch, r.Format, r.Partitions, r.Sessions)
		table := listing(p, "CONNECTOR\tAT\tVERSION\tKNOWS UP TO\tSTATE")
		for _, x := range r.Connectors {
			state := "serves"
			if x.Draining {
				state = "drains"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", printable(x.Connector), printable(x.Address), printable(cmp.Or(x.Version, "unknown")), x.Format, state)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
		table = listing(p, "GROUP\tMEMBERS\tLAG")
		for _, g := range r.Groups {
			fmt.Fprintf(table, "%s\t%d\t%d\n", printable(g.Group), g.Members, g.Lag)
		}
		return table.Flush()
	})
}
