package grants

// Action is what a user does in a channel. The zero value is not an action, and
// nobody may do it.
type Action uint8

// What a user may be allowed in a channel.
const (
	Join     Action = iota + 1 // joining; live messages, members, presence
	History                    // past messages, and those in a join's result
	Chat                       // public messages
	Private                    // private messages to others
	Edit                       // one's own messages changed and deleted
	React                      // reactions
	Signal                     // signals
	Moderate                   // what moderators do; implies all others of users
	API                        // of backends alone: what users do, on behalf of any
	Audit                      // of backends alone: all messages, private ones too
	Admin                      // of backends alone: what operators do
)

var names = [...]string{
	Join: "join", History: "history", Chat: "chat", Private: "private", Edit: "edit", React: "react", Signal: "signal", Moderate: "moderate",
	API: "api", Audit: "audit", Admin: "admin",
}

// String is the action's name in grants; "" for what is not an action.
func (a Action) String() string {
	if int(a) < len(names) {
		return names[a]
	}
	return ""
}

// Actions is a set of them.
type Actions uint16

// everyday is what * stands for. It never grows: whoever wrote * did not mean
// what came later.
const everyday Actions = 1<<Join | 1<<History | 1<<Chat | 1<<Private | 1<<Edit | 1<<React | 1<<Signal

// Has reports whether an action is in the set.
func (s Actions) Has(a Action) bool { return s&(1<<a) != 0 }

// actionsOf is what the names of a grant allow, each as of says. Those that are not
// known allow nothing: they may be another version's, or another server's.
func actionsOf(allow []string, of func(name string) Actions) (s Actions, unknown []string) {
	for _, name := range allow {
		a := of(name)
		if a == 0 {
			unknown = append(unknown, name)
		}
		s |= a
	}
	return s, unknown
}

// Known reports whether a name in a grant of a user allows anything.
func Known(name string) bool { return actionOf(name) != 0 }

// backendAction is what a name allows in a grant of a backend. None implies another.
func backendAction(name string) Actions {
	for a := Moderate; a <= Admin; a++ {
		if name == a.String() {
			return 1 << a
		}
	}
	return 0
}

func actionOf(name string) Actions {
	switch name {
	case "*":
		return everyday
	case Moderate.String():
		return everyday | 1<<Moderate
	}
	for a := Join; a < Moderate; a++ {
		if name == a.String() {
			return 1 << a
		}
	}
	return 0
}
