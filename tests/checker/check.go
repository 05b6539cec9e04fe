package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Rule names what was violated.
type Rule string

// The rules, in the order of the guarantees they stand for.
const (
	Durable    Rule = "durable"    // acknowledged means in the log, failed means never seen
	Idempotent Rule = "idempotent" // a message id is stored once and shown once
	Genuine    Rule = "genuine"    // what is shown is what the log has there
	Complete   Rule = "complete"   // a member gets the log's slice, in order, chained
	Seam       Rule = "seam"       // history and live meet without a gap or a repeat
	Recovery   Rule = "recovery"   // a resume is complete or reports that it is not
	Private    Rule = "private"    // nothing reaches who must not see it
	Ghost      Rule = "ghost"      // who is gone has left in time
	Evicted    Rule = "evicted"    // who is there is not thrown out
	Flicker    Rule = "flicker"    // who is back in time has never left
	Fold       Rule = "fold"       // workers emit the fold of the log, once and for all
	Projection Rule = "projection" // the rows are the log
	Drained    Rule = "drained"    // in the end nothing is unseen
	RealTime   Rule = "real-time"  // what was sent after an ack comes after it
	Members    Rule = "members"    // the list of members is the log's
	Changes    Rule = "changes"    // a message is what its changes have made of it
	Settings   Rule = "settings"   // what is set and pinned is the log's
	Sanctions  Rule = "sanctions"  // who hears of sanctions is told the log's, and who is out that
	Bound      Rule = "bound"      // who is muted, frozen out or banned is
)

// Violation is one broken rule.
type Violation struct {
	Rule    Rule
	Session string
	Channel string
	Seq     int64
	Text    string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: session %q, channel %q, seq %d: %s", v.Rule, v.Session, v.Channel, v.Seq, v.Text)
}

// Input is everything there is to know of a run.
type Input struct {
	// Start is the time of the run's beginning, from which entries count.
	Start   time.Time
	Entries []Entry
	Log     Log
	// Pushes are the records of parley.push, by partition; nil leaves them out.
	Pushes [][]PushRecord
	// Older reports that workers of an earlier version took part: their pushes need
	// not say what is untouched, and what others say of it may be lost with theirs.
	Older bool
	// Rows and Watermarks are what the projector wrote, repeats dropped; nil
	// leaves them out.
	Rows       []Row
	Watermarks map[int32]int64
	// ChangeRows are those of the table of changes, Shown what the view of messages
	// has; nil leaves them out.
	ChangeRows []ChangeRow
	Shown      []ShownRow
	// Drained reports that the run ended with a quiet time in which everything
	// that was under way had to arrive.
	Drained bool
	// Recover is the limit of messages that a join with since returns.
	Recover int
	// Ghost is how long a session may stay in the log after its end, in time
	// in which the log can be written; WorkerGrace comes on top for each worker
	// that fails meanwhile. Defaults: 15 s and 10 s.
	Ghost, WorkerGrace time.Duration
	// Slow multiplies the limits of time, for machines on which more runs than
	// they are made for. Default 1.
	Slow int
}

func (in *Input) slow(d time.Duration) time.Duration { return d * time.Duration(in.Slow) }

// Report is what Check found.
type Report struct {
	Violations []Violation
	Figures    Figures
}

// Figures are how much a run has exercised.
type Figures struct {
	Events, Void       int
	Sessions           int
	Acked, Unknown     int // chats and changes
	Deliveries         int // chat pushes
	Changes, Reactions int // pushes of them
	Sanctions, Removed int // likewise
	Changed            int // messages that clients showed in the end
	Joins              int
	Recovered, Partial int // joins with since: in full, or reported as not
	Degraded           int
	HistoryPages       int
	ChangesInPages     int // changes and reactions that joins and pages brought
	Downs              int
	// LongestGhost is the longest time from the end of a connection to its
	// leave; PlainGhost is the longest in which neither broker nor worker failed.
	LongestGhost, PlainGhost time.Duration
}

// Check checks the recordings, the pushes and the rows against the log. The
// error means that the input cannot be read as a log.
func Check(in Input) (*Report, error) {
	if in.Recover == 0 {
		in.Recover = 300
	}
	if in.Ghost == 0 {
		in.Ghost = 15 * time.Second
	}
	if in.WorkerGrace == 0 {
		in.WorkerGrace = 10 * time.Second
	}
	in.Slow = max(in.Slow, 1)
	in.Ghost, in.WorkerGrace = in.slow(in.Ghost), in.slow(in.WorkerGrace)
	truth, err := newTruth(in.Log)
	if err != nil {
		return nil, err
	}
	c := &check{Input: in, truth: truth, report: new(Report)}
	c.sessions = sessionsOf(in.Entries)
	for i := range in.Entries {
		if in.Entries[i].Op == Fault {
			c.faults = append(c.faults, &in.Entries[i])
		}
	}
	c.checkActs()
	for _, s := range c.sessions {
		c.walk(s)
	}
	c.checkViews()
	c.checkPresence()
	c.checkFold()
	c.checkRows()
	c.checkChangeRows()
	c.checkShown()
	c.count()
	return c.report, nil
}

type check struct {
	Input
	truth    *truth
	sessions []*session
	faults   []*Entry
	report   *Report
}

// session is the recording of one session.
type session struct {
	id, user, server, connector string
	device                      string // its own where it is empty
	moderates                   bool
	entries                     []*Entry
	end                         *Entry // nil: it was still open when the recording ended
}

func sessionsOf(entries []Entry) []*session {
	byID := map[string]*session{}
	var all []*session
	for i := range entries {
		e := &entries[i]
		if e.Session == "" {
			continue
		}
		s := byID[e.Session]
		if s == nil {
			s = &session{id: e.Session, user: e.User, server: e.Server, device: cmp.Or(e.Device, e.Session)}
			byID[e.Session] = s
			all = append(all, s)
		}
		s.entries = append(s.entries, e)
		switch e.Op {
		case OpHello:
			s.connector, s.moderates = e.Connector, e.Moderates
		case End:
			s.end = e
		}
	}
	return all
}

func (c *check) violate(rule Rule, s *session, channel string, seq int64, format string, args ...any) {
	v := Violation{Rule: rule, Channel: channel, Seq: seq, Text: fmt.Sprintf(format, args...)}
	if s != nil {
		v.Session = s.id
		v.Text += fmt.Sprintf(" (user %s at %s)", s.user, s.server)
	}
	c.report.Violations = append(c.report.Violations, v)
}

// genuine checks that a message that a session was shown is the one in the
// log at its seq, as its changes up to asof have made it, and that the session's
// user may see it.
func (c *check) genuine(s *session, m *rpc.Message, asof int64) {
	e, found := c.truth.at(m.Channel, m.Seq)
	chat := e.Event.GetChat()
	switch {
	case !found || chat == nil || chat.Channel != m.Channel:
		c.violate(Genuine, s, m.Channel, m.Seq, "shown the message %q of %s, where the log has none", m.ID, m.User)
	case e.void:
		c.violate(Idempotent, s, m.Channel, m.Seq, "shown the message %q of %s, which is void", m.ID, m.User)
	default:
		c.sameAs(s, m, asof)
	}
	if !m.VisibleTo(s.user) || found && chat != nil && chat.To != "" && chat.To != s.user && chat.User != s.user {
		c.violate(Private, s, m.Channel, m.Seq, "shown a private message of %s to %s", m.User, m.To)
	}
}

// sameAs compares a message that was shown with what the log has made of it.
func (c *check) sameAs(s *session, m *rpc.Message, asof int64) {
	of := c.truth.channel(m.Channel).messageAt(m.Seq)
	want := of.shown(m.Channel, asof)
	if reflect.DeepEqual(*m, want) {
		return
	}
	rule := Genuine
	if asof > m.Seq && reflect.DeepEqual(unchanging(*m), unchanging(want)) {
		rule = Changes
	}
	c.violate(rule, s, m.Channel, m.Seq, "shown as of %d as %s, the log has %s", asof, text(m), text(&want))
}

// unchanging is what no change makes another.
func unchanging(m rpc.Message) rpc.Message {
	return rpc.Message{Channel: m.Channel, Seq: m.Seq, ID: m.ID, User: m.User, To: m.To, Time: m.Time, Info: m.Info, Origin: m.Origin, Key: m.Key, Trace: m.Trace}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// same reports whether messages that were shown are those of the log.
func same(shown []rpc.Message, want []*message) bool {
	return slices.EqualFunc(shown, want, func(a rpc.Message, b *message) bool { return a.Seq == b.seq })
}

func (c *check) count() {
	f := &c.report.Figures
	f.Sessions = len(c.sessions)
	for _, events := range c.truth.events {
		f.Events += len(events)
		for _, e := range events {
			if e.void {
				f.Void++
			}
			if _, down := e.Event.Kind.(*schema.Event_Down); down {
				f.Downs++
			}
		}
	}
	for i := range c.Entries {
		f.add(&c.Entries[i])
	}
}

func (f *Figures) add(e *Entry) {
	_, _, isAct := e.act()
	switch {
	case e.Op == PushChat:
		f.Deliveries++
	case e.Op == PushChanged:
		f.Changes++
	case e.Op == PushReacted:
		f.Reactions++
	case e.Op == PushSanctioned:
		f.Sanctions++
	case e.Op == PushRemoved:
		f.Removed++
	case isAct && e.Outcome == Unknown:
		f.Unknown++
	case e.Outcome != OK:
	case isAct:
		f.Acked++
	case e.Op == OpHistory:
		f.HistoryPages++
		f.ChangesInPages += len(e.Page.Changes) + len(e.Page.Reacted)
	case e.Op == OpJoin:
		f.Joins++
		f.ChangesInPages += len(e.Joined.Changes) + len(e.Joined.Reacted)
		if r := e.Joined.Recovered; r != nil && *r {
			f.Recovered++
		} else if r != nil {
			f.Partial++
		}
		if e.Joined.Degraded {
			f.Degraded++
		}
	}
}
