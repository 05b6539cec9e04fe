package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/parley-chat/parley/internal/clickhouse"
	reader "github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/ops/history"
	"github.com/parley-chat/parley/schema/rpc"
)

type historyCommand struct {
	operatorFlags
	Channel channelName `arg:"" help:"The channel."`
	Before  seq         `xor:"where" placeholder:"SEQ" help:"The newest messages below this seq."`
	After   seq         `xor:"where" placeholder:"SEQ" help:"The oldest messages above this seq."`
	Limit   count       `default:"50" placeholder:"N" help:"Messages at most. Default: ${default}."`
	User    channelName `placeholder:"NAME" help:"Show what this user would see: private messages from and to them, too."`
	Epoch   string      `placeholder:"NAME" help:"The epoch in which seqs count. Default: the current one."`
	JSON    bool        `name:"json" help:"Print as JSON."`
}

// Help is shown under the command's flags.
func (c *historyCommand) Help() string {
	return `Prints the newest messages of a channel, or those before or after a seq, as its
members would get them: from ClickHouse, and from the log what is not there yet.
Edited and deleted messages are marked, and show what is left of them. Private
messages are left out unless a user is named.`
}

// Run prints a page of history.
func (c *historyCommand) Run(ctx context.Context, p process) error {
	if c.Limit < 1 {
		return &coded{errors.New("--limit is 0: it takes a number from 1 on"), exitUsage}
	}
	log := quiet(p.stderr)
	s, err := c.connect(ctx, log)
	if err != nil {
		return err
	}
	defer s.close()
	if _, err := s.db.Generation(ctx); clickhouse.IsMissing(err) {
		fmt.Fprintf(p.stderr, "parley: database %s in ClickHouse has no tables of parley: only what the log holds is shown\n", s.db.Database())
	}
	t, err := history.Read(ctx, s.kafka, s.dsn, history.Question{
		Channel: string(c.Channel), User: string(c.User), Before: int64(c.Before), After: int64(c.After),
		Limit: int(c.Limit), Epoch: c.Epoch,
	}, log)
	switch {
	case errors.Is(err, reader.ErrEpoch):
		return fmt.Errorf("there is no epoch %q: `parley history %s` without --epoch prints the name of the previous one, if there is one", c.Epoch, c.Channel)
	case err != nil:
		return err
	case c.JSON:
		return printJSON(p.stdout, t)
	}
	return c.print(p.stdout, &t)
}

func (c *historyCommand) print(w io.Writer, t *history.Transcript) error {
	out := bufio.NewWriter(w)
	if t.More && c.After <= 0 && len(t.Messages) > 0 {
		fmt.Fprintf(out, "(older ones: --before %d)\n", t.Messages[0].Seq)
	}
	if t.Older != "" {
		fmt.Fprintf(out, "(before this epoch: --epoch %s)\n", t.Older)
	}
	if len(t.Messages) == 0 {
		fmt.Fprintln(out, "No messages.")
	}
	for i := range t.Messages {
		printMessage(out, &t.Messages[i])
	}
	if end := t.End(); t.More && c.After > 0 && end > 0 {
		fmt.Fprintf(out, "(newer ones: --after %d)\n", end)
	}
	return out.Flush()
}

// printMessage prints a line for a message as it is after its changes.
func printMessage(out io.Writer, m *rpc.Message) {
	whom := m.User
	if m.To != "" {
		whom += " → " + m.To
	}
	text := printable(m.Body)
	switch {
	case m.Deleted != nil:
		text = "(deleted by " + cmp.Or(m.Deleted.By.User, "key "+m.Deleted.By.Key)
		if m.Deleted.Reason != "" {
			text += ": " + printable(m.Deleted.Reason)
		}
		text += ")"
	case m.Edited != nil:
		text += " (edited)"
	}
	for i, r := range m.Reactions {
		sep := ", "
		if i == 0 {
			sep = "  "
		}
		text += fmt.Sprintf("%s%s %d", sep, printable(r.Name), r.Count)
	}
	fmt.Fprintf(out, "%s  %d  %s: %s\n", time.UnixMilli(m.Time).UTC().Format("2006-01-02 15:04:05.000"), m.Seq, whom, text)
}

// printable keeps what a user wrote from steering the operator's terminal.
func printable(body string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsGraphic(r) {
			return '·'
		}
		return r
	}, body)
}
