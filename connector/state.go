package connector

import "fmt"

// state is where a session is between outside of a channel and a member of it,
// as the push stream and its own requests have it.
//
//	absent ──────► joining ──────► catchingUp ──────► live ◄────► lingering
//	  ▲             │ ▲  │                └───────┐    │              │
//	  │ ┌───────────┘ │  └► unwanted ───────────┐ │    │              │
//	  │ ▼             │                         ▼ ▼    ▼              │
//	  ├ withdrawing ──┼──────────────────────► leaving ◄──────────────┘
//	  │ ▲             └────────── rejoining ◄─┘   │
//	  │ └─── quitting ◄───────────────┘           │
//	  └───────────────────────────────────────────┘
//
// From live and lingering a join that takes a leave back leads to catchingUp.
//
// A kick or a ban ends a membership wherever it is: what is on its way goes on, so
// that rejoining becomes joining, quitting withdrawing, and all others absent.
// catchingUp becomes putOut first, until the result is sent.
type state uint8

const (
	absent      state = iota // no member, and nothing is on its way
	joining                  // its join is on its way
	withdrawing              // and a leave after it: the session has ended
	putOut                   // no member any more; the result of its join is being made
	catchingUp               // a member; the result of its join is being made
	live                     // a member who gets what happens as it comes
	lingering                // its leave is kept back: a join may take it back
	unwanted                 // nobody waited for its join: a leave is to follow
	leaving                  // its leave is on its way
	rejoining                // and a join after it
	quitting                 // and a leave after that: the session has ended
	states
)

var stateNames = [states]string{
	"absent", "joining", "withdrawing", "put out", "catching up", "live", "lingering", "unwanted", "leaving", "rejoining", "quitting",
}

func (s state) String() string { return stateNames[s] }

// member reports whether the session is in the channel as of the push stream.
func (s state) member() bool { return s >= catchingUp }

// step is what changes a state.
type step uint8

const (
	joinPublished  step = iota // a join is on its way to the log
	joinPassed                 // it has passed in the push stream
	joinUnwanted               // it has passed, and nobody waits for it
	resultSent                 // the result of a join is sent
	leaveKeptBack              // a leave is kept back for a while
	leaveTakenBack             // a join has taken back a leave that was kept back
	leaveDropped               // a leave that was kept back is dropped: the session has ended
	leavePublished             // a leave is on its way to the log
	leavePassed                // it has passed in the push stream
	memberRemoved              // a kick or a ban has ended its membership
	leaveStored                // a leave is in the log, and the join before it has not passed: nothing is left to wait for
	steps
)

var stepNames = [steps]string{
	"a join is published", "a join passes", "a join passes that nobody waits for", "a result is sent", "a leave is kept back",
	"a leave is taken back", "a leave is dropped", "a leave is published", "a leave passes", "a member is removed",
	"a leave is stored",
}

func (s step) String() string { return stepNames[s] }

// transition says what a step does to a state.
func transition(by step, from state) string {
	return fmt.Sprintf("%v: %v → %v", by, from, transitions[by][from])
}

// transitions are all there are.
var transitions = [steps]map[state]state{
	joinPublished:  {absent: joining, leaving: rejoining},
	joinPassed:     {joining: catchingUp},
	joinUnwanted:   {joining: unwanted, withdrawing: leaving},
	resultSent:     {catchingUp: live, putOut: absent},
	leaveKeptBack:  {live: lingering},
	leaveTakenBack: {live: catchingUp, lingering: catchingUp},
	leaveDropped:   {lingering: live},
	leavePublished: {joining: withdrawing, catchingUp: leaving, live: leaving, lingering: leaving, unwanted: leaving, rejoining: quitting},
	leavePassed:    {leaving: absent, rejoining: joining, quitting: withdrawing},
	memberRemoved: {
		catchingUp: putOut, live: absent, lingering: absent, unwanted: absent, leaving: absent, rejoining: joining, quitting: withdrawing,
	},
	leaveStored: {withdrawing: absent},
}
