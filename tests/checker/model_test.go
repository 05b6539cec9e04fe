package checker

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// model is a chat system that keeps every promise, on a clock of its own. What
// its clients record is clean.
type model struct {
	rng     *rand.Rand
	now     time.Duration
	start   time.Time
	log     Log
	next    []int64 // offsets
	entries []Entry
	rows    []Row

	connectors []*life
	sessions   []*person // connected
	members    map[string]map[*person]bool
	users      map[string]map[string]int
	stood      map[string][]rpc.Message // by channel, as they were sent
	records    map[string][]changes.Record
	last       map[string]int64
	clast      map[string]int64
	settings   map[string]rpc.Settings
	standing   map[string]map[string]*standing // by channel and user
	ids        map[actKey]bool                 // in the log
	since      map[actKey]int64                // by channel and device: what it has seen
	timers     []timer
	serial     int
}

// life is one life of a connector.
type life struct {
	id, process string
	counters    []uint64
}

// person is one session.
type person struct {
	id, user string
	at       *life
	gone     bool
	hidden   map[string]bool // channels in which it is and is not shown
	device   string
	places   map[string]bool
	inbox    []Entry // what it gets, in order, when it reads
}

type timer struct {
	at time.Duration
	do func()
}

var modelChannels = []string{"lobby", "games", "music", "news"}

const modelPartitions = 3

func newModel(seed uint64) *model {
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 1)), start: time.UnixMilli(1_800_000_000_000),
		log:     Log{Epoch: "e1", Window: 5000, Partitions: make([][]Record, modelPartitions)},
		next:    make([]int64, modelPartitions),
		members: map[string]map[*person]bool{}, users: map[string]map[string]int{},
		stood: map[string][]rpc.Message{}, records: map[string][]changes.Record{}, last: map[string]int64{}, clast: map[string]int64{},
		settings: map[string]rpc.Settings{}, standing: map[string]map[string]*standing{}, ids: map[actKey]bool{}, since: map[actKey]int64{},
	}
	for p := range modelPartitions {
		m.append(p, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e1", Format: 2, Window: m.log.Window}}}, false)
	}
	for i := range 2 {
		m.connectors = append(m.connectors, m.live(fmt.Sprint("connector-", i+1)))
	}
	for _, c := range modelChannels {
		m.members[c], m.users[c], m.settings[c] = map[*person]bool{}, map[string]int{}, rpc.Settings{Pins: []int64{}}
		m.standing[c] = map[string]*standing{}
	}
	return m
}

func (m *model) live(process string) *life {
	m.serial++
	return &life{fmt.Sprint("c", m.serial), process, make([]uint64, modelPartitions)}
}

// run takes steps, and then lets everything come to rest.
func (m *model) run(steps int) Input {
	for range steps {
		m.pass(time.Duration(5+m.rng.IntN(40)) * time.Millisecond)
		m.step()
		for _, p := range m.sessions {
			m.read(p, m.rng.IntN(4))
		}
	}
	m.pass(time.Minute)
	for _, p := range m.sessions {
		m.read(p, len(p.inbox))
	}
	in := Input{Start: m.start, Entries: m.entries, Log: m.log, Rows: m.rows, Watermarks: map[int32]int64{}, Drained: true}
	for p, records := range m.log.Partitions {
		in.Watermarks[int32(p)] = records[len(records)-1].Offset
	}
	in.Pushes = m.pushes()
	m.store(&in)
	return in
}

// pass lets time go by; what falls due is done.
func (m *model) pass(d time.Duration) {
	end := m.now + d
	for {
		slices.SortStableFunc(m.timers, func(a, b timer) int { return cmp.Compare(a.at, b.at) })
		if len(m.timers) == 0 || m.timers[0].at > end {
			m.now = end
			return
		}
		t := m.timers[0]
		m.timers = m.timers[1:]
		m.now = max(m.now, t.at)
		t.do()
	}
}

func (m *model) after(d time.Duration, do func()) { m.timers = append(m.timers, timer{m.now + d, do}) }

func (m *model) read(p *person, n int) {
	for range min(n, len(p.inbox)) {
		e := p.inbox[0]
		p.inbox = p.inbox[1:]
		m.note(p, e)
		if e.Op.isPush() || e.Op == OpJoin && e.Outcome == OK {
			m.since[actKey{channel: e.Channel, user: p.device}] = e.Seq
		}
	}
}

// gets puts what a session is sent into its inbox.
func (m *model) gets(p *person, e Entry) { p.inbox = append(p.inbox, e) }

func (m *model) note(p *person, e Entry) {
	e.At, e.Session, e.User, e.Server, e.Device = m.now, p.id, p.user, p.at.process, p.device
	m.entries = append(m.entries, e)
}

// append appends an event.
func (m *model) append(partition int, e *schema.Event, void bool) int64 {
	e.Time = m.start.Add(m.now).UnixMilli()
	offset := m.next[partition]
	m.next[partition] = offset + 1
	if offset > 0 && m.rng.IntN(50) == 0 {
		m.next[partition]++ // a hole
	}
	m.log.Partitions[partition] = append(m.log.Partitions[partition], Record{offset, e})
	if r, ok := rowOf(event{Record{offset, e}, partition, void}); ok {
		m.rows = append(m.rows, r)
	}
	return offset
}

// publish appends a connector's event about a channel.
func (m *model) publish(at *life, channel string, e *schema.Event, void bool) int64 {
	p := schema.PartitionOf(channel, modelPartitions)
	at.counters[p]++
	e.Connector, e.Counter = at.id, at.counters[p]
	return m.append(p, e, void)
}

func (m *model) step() {
	switch n := m.rng.IntN(100); {
	case len(m.sessions) < 4 || n < 3:
		m.enter(fmt.Sprint("user", m.rng.IntN(7)))
	case n < 18:
		m.join(m.anyone(), m.anyChannel())
	case n < 45:
		m.chat(m.anyone())
	case n < 59:
		m.change(m.anyone())
	case n < 65:
		m.moderate(m.anyModerator())
	case n < 72:
		m.leave(m.anyone())
	case n < 82:
		m.history(m.anyone())
	case n < 87:
		m.list(m.anyone())
	case n < 90:
		m.listPins(m.anyone())
	case n < 96:
		m.cut(m.anyone(), n < 93)
	case n < 97:
		m.kill(m.rng.IntN(len(m.connectors)))
	}
}

func (m *model) anyone() *person    { return m.sessions[m.rng.IntN(len(m.sessions))] }
func (m *model) anyChannel() string { return modelChannels[m.rng.IntN(len(modelChannels))] }
