package schema

// Act is what somebody did under an id: from then on, for the width of the void
// window, nothing is done again under it.
type Act struct {
	Channel string
	// Key says that the actor is a key of the API, and not a user.
	Key bool
	// Backend says that a backend acted, whose ids are apart from those of clients.
	Backend   bool
	Actor, ID string
}

// Act returns what the event is of that; false: nothing.
func (e *Event) Act() (Act, bool) {
	a, is := actOf(e)
	return Act{Channel: a.channel, Key: a.key, Backend: a.backend, Actor: a.actor, ID: a.id}, is
}
