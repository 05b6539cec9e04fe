package connector

import (
	"cmp"
	"math"
	"net"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	callBytes    = 512       // that an unanswered request takes besides its id
	waitBytes    = 12 << 10  // that one takes besides while its answer waits for room or history
	backlogTotal = 64 << 20  // of all channels' backlogs together
	maxQueued    = 256 << 20 // that wait to be sent to all sessions together, where Config says nothing
)

// anyNumber is a limit that is switched off.
const anyNumber = math.MaxInt

// orAny is a limit, of which a negative one means none.
func orAny(limit int) int {
	if limit < 0 {
		return anyNumber
	}
	return limit
}

const maxMalformed = 100 // malformed frames within admission.FloodWindow

const (
	escaped    = 6        // bytes that JSON takes for one of a body at most: a control character
	frameHead  = 24 << 10 // what a chat takes besides its body and data, at most: 50 mentions
	answerHead = 64 << 10 // what an answer takes besides its messages, at most: 200 members
)

// messageBytes is how many bytes of messages an answer takes.
func messageBytes(l rpc.Limits) int { return max(l.Page-answerHead, l.Page/2) }

// setLimits fills in the limits that are not set. Rates and shares are for the
// open internet: an open connector for clients of this machine alone has none
// unless they are set. A negative one means no limit. From here on 0 means that.
func (cfg *Config) setLimits(listen net.Addr) {
	local, _ := listen.(*net.TCPAddr)
	trusted := cfg.Auth == nil && !cfg.Open && len(cfg.Proxies) == 0 && local != nil && local.IP.IsLoopback()
	share := func(v *int, otherwise int) {
		switch {
		case *v < 0:
			*v = 0
		case *v == 0 && !trusted:
			*v = otherwise
		}
	}
	e, l := &cfg.Edge, &cfg.Limits
	share(&l.Rate, 100)
	share(&l.Joins, 20)
	share(&l.Chats, 10)
	share(&l.Signals, 5)
	share(&e.UserRate, 200)
	share(&e.UserJoins, 40)
	share(&e.UserConnections, 50)
	share(&e.AddressConnections, 1000)
	share(&e.Upgrades, 500)
	share(&e.BeforeHello, 2000)
	share(&e.Plain, 500)
	share(&e.ReadRate, 1<<20)
	set := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	set(&l.Body, 4096)
	set(&l.Data, 4096)
	set(&l.Frame, max(64<<10, escaped*l.Body+l.Data+frameHead))
	set(&l.Channels, 128)
	set(&l.Recover, 300)
	set(&l.Pipeline, 1000)
	set(&l.Presence, 1000)
	set(&l.Queue, 4<<20)
	set(&l.Page, 1<<20)
	set(&l.Grace, 120_000)
	set(&l.Edits, 1_000)
	set(&l.Pairs, 10_000)
	set(&l.Names, changes.MaxNames)
	l.Moderation = max(0, cmp.Or(l.Moderation, 10))
	set(&l.Sanctions, schema.MaxChannelSanctions)
}

// admission is how many the connector lets in, once its limits are set.
func (cfg *Config) admission(m *metrics) admission.Config {
	return admission.Config{
		Limits: cfg.Edge, Connections: cfg.MaxConnections, Channels: cfg.Limits.Channels,
		Verdict: cfg.PongTimeout + ws.WriteTimeout,
		Limited: func(limit string) { m.limited.Add(1, limit) },
	}
}

// requestBurst is how many requests a session may send at once: one that comes
// back joins all of its channels again.
func requestBurst(l rpc.Limits) int { return l.Rate + l.Channels }

// ownDescriptors are what a process needs beside its clients' connections:
// Kafka, ClickHouse, files, and the embedded servers of `parley up`, whose
// connections have both of their ends in it (512 after a minute).
const ownDescriptors = 640

// fitBackends lowers the connections of backends to a part of what the process may
// have open.
func fitBackends(open uint64) int { return int(max(1, min(apiConns, open/8))) }

// fitDescriptors lowers what is admitted to what the process may have open:
// one client too many would take the descriptor that Kafka needs. plain is of each
// port.
func fitDescriptors(open uint64, connections, plain, ports int) (fitConnections, fitPlain int) {
	most := int(min(open, 1<<30))
	free := most - min(ownDescriptors, most/2)
	if plain > 0 {
		plain = max(1, min(plain, free/4/ports))
	}
	return max(1, min(connections, free-plain*ports)), plain
}
