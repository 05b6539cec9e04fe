package schema

// Name is the reason as the client protocol and the tables of history spell it;
// "" for an invalid one.
func (r Reason) Name() string {
	switch r {
	case Reason_REASON_LEAVE:
		return "leave"
	case Reason_REASON_DISCONNECT:
		return "disconnect"
	case Reason_REASON_TIMEOUT:
		return "timeout"
	case Reason_REASON_KICKED:
		return "kicked"
	case Reason_REASON_BANNED:
		return "banned"
	case Reason_REASON_BARRED:
		return "barred"
	case Reason_REASON_FORBIDDEN:
		return "forbidden"
	}
	return ""
}

// Name is the action as the client protocol and the tables of history spell it;
// "" for an unknown one.
func (a Sanction_Action) Name() string {
	switch a {
	case Sanction_ACTION_MUTE:
		return "mute"
	case Sanction_ACTION_BAN:
		return "ban"
	case Sanction_ACTION_KICK:
		return "kick"
	case Sanction_ACTION_LIFT:
		return "lift"
	case Sanction_ACTION_LIFT_MUTE:
		return "lift_mute"
	case Sanction_ACTION_LIFT_BAN:
		return "lift_ban"
	}
	return ""
}
