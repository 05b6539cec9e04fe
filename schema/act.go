package schema

// UserAct is what a user did under an id: from then on, for the width of the void
// window, nothing is done again under it.
type UserAct struct{ Channel, User, ID string }

// UserAct returns what the event is of that; false: nothing, or a backend did it.
func (e *Event) UserAct() (UserAct, bool) {
	a, is := actOf(e)
	if !is || a.key || a.backend {
		return UserAct{}, false
	}
	return UserAct{a.channel, a.actor, a.id}, true
}
