package verify

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/parley-chat/parley/schema"
)

// chain condenses the public messages of a channel in their order: two chains
// with the same values were made of the same seqs.
type chain struct {
	messages int64
	last     int64
	digest   uint64
}

// link appends a message.
func (c *chain) link(seq int64) {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], c.digest)
	binary.LittleEndian.PutUint64(b[8:], uint64(c.last))
	binary.LittleEndian.PutUint64(b[16:], uint64(seq))
	c.digest = xxhash.Sum64(b[:])
	c.last, c.messages = seq, c.messages+1
}

// chains are those of a partition's channels.
type chains map[string]*chain

// event links a chat that every member sees.
func (c chains) event(offset int64, e *schema.Event, void bool) {
	chat := e.GetChat()
	if chat == nil || void || chat.To != "" {
		return
	}
	c.link(chat.Channel, offset)
}

func (c chains) link(channel string, seq int64) {
	one := c[channel]
	if one == nil {
		one = &chain{}
		c[channel] = one
	}
	one.link(seq)
}

// compareChains reports the channels whose chain in ClickHouse is another than
// the log's.
func compareChains(partition int, logged, stored chains, out *collector) {
	for channel, want := range logged {
		got := stored[channel]
		if got == nil {
			got = &chain{}
		}
		if *got != *want {
			out.differ(PlaceHistory, partition, None, channel,
				"a reader finds a chain of %d public messages up to seq %d, the log makes one of %d up to %d",
				got.messages, got.last, want.messages, want.last)
		}
	}
	for channel, got := range stored {
		if logged[channel] == nil {
			out.differ(PlaceHistory, partition, None, channel,
				"a reader finds a chain of %d public messages, the log has none", got.messages)
		}
	}
}
