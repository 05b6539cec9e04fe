package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/ops/tail"
	"github.com/parley-chat/parley/schema"
)

type tailCommand struct {
	kafkaFlags
	Channel   channelName `placeholder:"NAME" help:"Only what concerns this channel."`
	Partition partition   `default:"-1" placeholder:"N" help:"Only this partition. Default: all, or the channel's."`
	From      tailFrom    `placeholder:"WHERE" help:"Where to begin: beginning, end, or an offset of one partition. Default: beginning; with --follow end."`
	Follow    bool        `short:"f" help:"Continue at the end and wait for more; Ctrl-C stops it."`
	Kinds     []string    `placeholder:"KIND,..." enum:"marker,format,join,chat,leave,down,change,pin,sanction,purge,set,watch,unwatch,corrupt" help:"Only events of these kinds: ${enum}. Default: all."`
	Bodies    bool        `help:"Show what people wrote in public: bodies, reactions, topics, reasons."`
	Private   bool        `help:"Show the bodies and recipients of private messages."`
}

// Help is shown under the command's flags.
func (c *tailCommand) Help() string {
	return `Prints the events of the log as JSON, one a line, those of a partition in their
order. Void ones, such as a retried message, have "void":true. Terminals and
their logs are kept longer than one thinks: what people wrote is shown only with
--bodies, and recipient and text of private messages only with --private. The log
keeps everything: what was deleted or edited later is shown as it was sent.`
}

// Run prints events until it has them all or, with --follow, ctx ends.
func (c *tailCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	out := bufio.NewWriter(p.stdout)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	err = tail.Run(ctx, s.kafka, tail.Options{
		Channel: string(c.Channel), Partition: int(c.Partition), Kinds: c.Kinds, From: c.From.position(c.Follow), Follow: c.Follow,
		Shown: tail.Shown{Bodies: c.Bodies, Private: c.Private},
	}, func(e tail.Event) error {
		err := lines.Encode(e)
		if err == nil && c.Follow {
			err = out.Flush()
		}
		return err
	})
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return err
}

// channelName is the name of a channel as clients may use it; "" for none.
type channelName string

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *channelName) UnmarshalText(text []byte) error {
	if err := schema.CheckName(string(text)); err != nil {
		return takes("a name: " + err.Error())
	}
	*n = channelName(text)
	return nil
}

// partition is the number of one; -1 for all.
type partition int

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *partition) UnmarshalText(text []byte) error {
	v, err := strconv.Atoi(string(text))
	if err != nil || v < -1 {
		return takes("a number from 0 on")
	}
	*n = partition(v)
	return nil
}

// seq is the position of a message; 0 for none.
type seq int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *seq) UnmarshalText(text []byte) error {
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || v < 1 {
		return takes("a number from 1 on")
	}
	*n = seq(v)
	return nil
}

// tailFrom is where tail begins; "" leaves it to a default.
type tailFrom string

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *tailFrom) UnmarshalText(text []byte) error {
	if named := []string{"beginning", "end", ""}; !slices.Contains(named, string(text)) {
		if n, err := strconv.ParseInt(string(text), 10, 64); err != nil || n < 0 {
			return takes(strings.Join(named[:2], ", ") + " or an offset from 0 on")
		}
	}
	*f = tailFrom(text)
	return nil
}

func (f tailFrom) position(follow bool) int64 {
	switch f {
	case "beginning":
		return tail.Beginning
	case "end":
		return tail.End
	case "":
		if follow {
			return tail.End
		}
		return tail.Beginning
	}
	n, _ := strconv.ParseInt(string(f), 10, 64) // UnmarshalText has read it
	return n
}
