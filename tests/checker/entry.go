package checker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// Op is the operation that an Entry records.
type Op string

// What clients do, what they are pushed, how their connections end, and what
// was done to the servers meanwhile.
const (
	OpHello   Op = "hello"
	OpJoin    Op = "join"
	OpChat    Op = "chat"
	OpLeave   Op = "leave"
	OpHistory Op = "history"
	OpMembers Op = "members"

	OpEdit      Op = "edit"
	OpDelete    Op = "delete"
	OpReact     Op = "react"
	OpPin       Op = "pin"
	OpReactions Op = "reactions"
	OpPins      Op = "pins"

	OpMute      Op = "mute"
	OpBan       Op = "ban"
	OpKick      Op = "kick"
	OpLift      Op = "lift"
	OpRequested Op = "purges" // a purge that a moderator asked for
	OpSet       Op = "set"
	OpSanctions Op = "sanctions"

	PushChat     Op = "push.chat"
	PushJoined   Op = "push.joined"
	PushLeft     Op = "push.left"
	PushChanged  Op = "push.changed"
	PushReacted  Op = "push.reacted"
	PushSettings Op = "push.settings"

	PushSanctioned Op = "push.sanctioned"
	PushRemoved    Op = "push.removed"

	// OpPurge is a purge that a backend wrote to the log.
	OpPurge Op = "purge"

	// End is the end of a connection, as its client saw it.
	End Op = "end"
	// Fault is something done to a server.
	Fault Op = "fault"
)

func (o Op) isPush() bool { return strings.HasPrefix(string(o), "push.") }

// Outcome is what a client knows of an operation.
type Outcome string

// Outcomes. Unknown may have been carried out or not, or may yet be.
const (
	OK      Outcome = "ok"
	Failed  Outcome = "fail"
	Unknown Outcome = "unknown"
)

// Entry is one line of a recording. Those of one session are in the order in
// which its client got the frames. Times count from the start of the run, on
// one monotonic clock for all clients.
type Entry struct {
	// At is when the answer or the push came, the connection ended or the fault
	// began.
	At time.Duration `json:"at"`
	// Began is when the request was sent; Until is when a fault was over.
	Began time.Duration `json:"began,omitempty"`
	Until time.Duration `json:"until,omitempty"`

	Op      Op      `json:"op"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Code of the error of a request, or with which a connection was closed.
	Code int `json:"code,omitempty"`

	Session string `json:"session,omitempty"`
	User    string `json:"user,omitempty"`
	// Device is what keeps a timeline of each channel from one connection to the
	// next.
	Device string `json:"device,omitempty"`
	// Server is the process that the connection goes to, or that a fault
	// struck. Processes are named by their role and a number: "connector-1".
	Server string `json:"server,omitempty"`
	// Connector is the life of that process, from a hello's answer.
	Connector string `json:"connector,omitempty"`
	Channel   string `json:"channel,omitempty"`
	// Moderates: a hello was granted that everywhere.
	Moderates bool `json:"moderates,omitempty"`

	// Of a join.
	Join   *rpc.JoinParams `json:"join,omitempty"`
	Joined *rpc.JoinResult `json:"joined,omitempty"`
	// Of an act; Seq is the answer's.
	Chat      *rpc.ChatParams     `json:"chat,omitempty"`
	Edit      *rpc.EditParams     `json:"edit,omitempty"`
	Delete    *rpc.DeleteParams   `json:"delete,omitempty"`
	React     *rpc.ReactParams    `json:"react,omitempty"`
	Pin       *rpc.PinParams      `json:"pin,omitempty"`
	Sanction  *rpc.SanctionParams `json:"sanction,omitempty"` // of a mute and a ban
	Kick      *rpc.KickParams     `json:"kick,omitempty"`
	Lift      *rpc.LiftParams     `json:"lift,omitempty"`
	Requested *rpc.PurgeParams    `json:"requested,omitempty"`
	Set       *rpc.SetParams      `json:"set,omitempty"`
	Seq       int64               `json:"seq,omitempty"`
	Unchanged bool                `json:"unchanged,omitempty"`
	Repeat    bool                `json:"repeat,omitempty"`
	// Of a purge.
	Purge *rpc.PurgeChange `json:"purge,omitempty"`
	// Of history, members, reactions and pins.
	History   *rpc.HistoryParams   `json:"history,omitempty"`
	Page      *rpc.HistoryResult   `json:"page,omitempty"`
	Members   *rpc.MembersResult   `json:"members,omitempty"`
	Reactions *rpc.ReactionsParams `json:"reactions,omitempty"`
	Reactors  *rpc.ReactionsResult `json:"reactors,omitempty"`
	Pins      *rpc.PinsResult      `json:"pins,omitempty"`
	Sanctions *rpc.SanctionsResult `json:"sanctions,omitempty"`

	// Of pushes. Seq is set too.
	Message    *rpc.ChatPush       `json:"message,omitempty"`
	Changed    *rpc.ChangedPush    `json:"changed,omitempty"`
	Reacted    *rpc.ReactedPush    `json:"reacted,omitempty"`
	Settings   *rpc.SettingsPush   `json:"settings,omitempty"`
	Sanctioned *rpc.SanctionedPush `json:"sanctioned,omitempty"`
	Removed    *rpc.RemovedPush    `json:"removed,omitempty"`
	Who        string              `json:"who,omitempty"`
	Reason     string              `json:"reason,omitempty"`

	// Clean is an end that the client began with a close frame.
	Clean bool `json:"clean,omitempty"`
	// What a fault did, such as "kill" or "stop".
	What string `json:"what,omitempty"`
}

// act is what a client asked for under an id of its own; false where it did not.
func (e *Entry) act() (id string, retry, is bool) {
	switch {
	case e.Op == OpChat && e.Chat != nil:
		return e.Chat.ID, e.Chat.Retry, true
	case e.Op == OpEdit && e.Edit != nil:
		return e.Edit.ID, e.Edit.Retry, true
	case e.Op == OpDelete && e.Delete != nil:
		return e.Delete.ID, e.Delete.Retry, true
	case e.Op == OpReact && e.React != nil:
		return e.React.ID, e.React.Retry, true
	case e.Op == OpPin && e.Pin != nil:
		return e.Pin.ID, e.Pin.Retry, true
	case e.Op == OpMute && e.Sanction != nil, e.Op == OpBan && e.Sanction != nil:
		return e.Sanction.ID, e.Sanction.Retry, true
	case e.Op == OpKick && e.Kick != nil:
		return e.Kick.ID, e.Kick.Retry, true
	case e.Op == OpLift && e.Lift != nil:
		return e.Lift.ID, e.Lift.Retry, true
	case e.Op == OpRequested && e.Requested != nil:
		return e.Requested.ID, e.Requested.Retry, true
	case e.Op == OpSet && e.Set != nil:
		return e.Set.ID, e.Set.Retry, true
	}
	return "", false, false
}

// Write writes the recording as one JSON line for each entry.
func Write(w io.Writer, entries []Entry) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for i := range entries {
		if err := enc.Encode(&entries[i]); err != nil {
			return fmt.Errorf("write a recording: %w", err)
		}
	}
	return out.Flush()
}

// Read reads what Write wrote.
func Read(r io.Reader) ([]Entry, error) {
	var entries []Entry
	for dec := json.NewDecoder(bufio.NewReader(r)); ; {
		var e Entry
		switch err := dec.Decode(&e); {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return nil, fmt.Errorf("read a recording, line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
}
