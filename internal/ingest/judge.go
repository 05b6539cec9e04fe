package ingest

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// readTime bounds one read of history.
	readTime = 5 * time.Second
	// pageBytes is how much text a read brings at most: that of one message.
	pageBytes = 1 << 20
)

// judge decides whether the log takes an act, by what is in the log now. An error is one
// of ctx, of the log, or one that waiting does not mend.
func (o *owner) judge(ctx context.Context, a *params.Act) (refused *rpc.Error, err error) {
	switch {
	case a.Epoch != "" && a.Epoch != o.log.Epoch:
		return rpc.Gone(), nil
	case a.Event.GetChat() != nil:
		return o.judgeMessage(ctx, a)
	case a.Target != 0:
		return o.judgeTarget(ctx, a)
	}
	switch a.Event.GetSanction().GetAction() {
	case schema.Sanction_ACTION_MUTE, schema.Sanction_ACTION_BAN:
		return o.judgeSanctions(ctx, a)
	}
	return nil, nil
}

// judgeMessage refuses what cannot be a message of its channel.
func (o *owner) judgeMessage(ctx context.Context, a *params.Act) (*rpc.Error, error) {
	bad, err := o.judgeChannel(ctx, a.Channel)
	if reply := a.Event.GetChat().Reply; bad == nil && err == nil && reply != 0 {
		return o.judgeReply(ctx, a.Channel, reply)
	}
	return bad, err
}

// judgeReply refuses a reply to what is yet to come. The log is asked for its end where
// the owner does not know yet that it has come that far.
func (o *owner) judgeReply(ctx context.Context, channel string, to int64) (*rpc.Error, error) {
	if o.reached(schema.PartitionOf(channel, o.log.Partitions), to) {
		return nil, nil
	}
	var end int64
	err := o.look(ctx, func(ctx context.Context) (err error) {
		end, err = o.past.End(ctx, channel)
		return err
	})
	if err != nil || to < end {
		return nil, err
	}
	return params.NoReply(), nil
}

// judgeChannel refuses to begin a channel whose name can pass for another's. Those that
// the log has already stay open.
func (o *owner) judgeChannel(ctx context.Context, channel string) (*rpc.Error, error) {
	bad := params.CheckNewName("channel", channel)
	if bad == nil {
		return nil, nil
	}
	known := false
	err := o.look(ctx, func(ctx context.Context) (err error) {
		known, err = o.past.Holds(ctx, channel)
		return err
	})
	if known || err != nil {
		return nil, err
	}
	return bad, nil
}

// judgeTarget looks the message up that is to be changed, with every change of it up to
// the end of the log.
func (o *owner) judgeTarget(ctx context.Context, a *params.Act) (*rpc.Error, error) {
	var t room.Target
	err := o.look(ctx, func(ctx context.Context) error {
		end, err := o.past.End(ctx, a.Channel)
		if err != nil {
			return err
		}
		found, err := o.past.Read(ctx, history.Query{
			Channel: a.Channel, Everyone: true, States: true, End: end, Bytes: pageBytes,
			VoidsFrom: math.MaxInt64, KnownFrom: math.MaxInt64, // the reader finds them itself
			Mode: history.Before, Before: a.Target + 1, Limit: 1,
		})
		t = room.Target{}
		if err == nil && len(found.Messages) > 0 && found.Messages[0].Seq == a.Target {
			t = room.NewTarget(&found.Messages[0], found.States[0])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c := a.Event.GetChange()
	bad := t.Takes(a.Event, c.GetUser())
	if bad == nil {
		bad = t.TooMany(c, c.GetUser(), &o.i.cfg.Limits)
	}
	if bad == nil && c != nil {
		c.Author, c.To = t.Author, t.To
		c.Moderator = c.GetReact() == nil && t.Author != c.User
	}
	return bad, nil
}

// judgeSanctions refuses a mute or a ban where a channel has as many as it takes.
func (o *owner) judgeSanctions(ctx context.Context, a *params.Act) (*rpc.Error, error) {
	most := o.i.cfg.Limits.Sanctions
	var has int
	err := o.look(ctx, func(ctx context.Context) error {
		end, err := o.past.End(ctx, a.Channel)
		if err != nil {
			return err
		}
		found, err := o.past.Sanctions(ctx, history.Query{Channel: a.Channel, End: end, VoidsFrom: math.MaxInt64, Limit: most}, "")
		has = len(found.Sanctions)
		return err
	})
	if err != nil || has < most {
		return nil, err
	}
	return params.FullOfSanctions(most), nil
}

// look reads history, in which what was appended before is. What keeps it from that is
// waited out: the partition is held meanwhile.
func (o *owner) look(ctx context.Context, read func(context.Context) error) error {
	if err := o.flush(ctx); err != nil {
		return err
	}
	for waiting := false; ; waiting = true {
		limited, cancel := context.WithTimeout(ctx, readTime)
		err := read(limited)
		cancel()
		var newer *schema.NewerError
		switch {
		case err == nil || errors.As(err, &newer) || isFatal(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !waiting:
			o.i.cfg.Logger.Warn("a partition of commands is held: history cannot be read", "partition", o.a.Partition, "offset", o.next, "error", err)
			o.i.progress.held.Add(1)
			defer o.i.progress.held.Add(-1)
		}
		if _, end, err := o.kafka.CommittedOffsets(ctx, schema.TopicCommands, o.a.Partition); err == nil {
			o.i.progress.lags.Set(o.a.Partition, end-o.next)
		}
		if !roles.Sleep(ctx, o.i.again) {
			return ctx.Err()
		}
	}
}
