package fold

// Receiver is a connector, and the partition that its pushes go to.
type Receiver struct {
	Connector     string
	PushPartition int32
}

// Receivers are the connectors that have members in a channel or watch it: nobody
// where the user has no session there.
func (f *Fold) Receivers(channel, user string) []Receiver {
	ch := f.channels[channel]
	if ch == nil || ch.users[user] == 0 {
		return nil
	}
	all := make([]Receiver, 0, len(ch.subs))
	for _, s := range ch.subs {
		all = append(all, Receiver{s.connector.id, s.connector.pushPartition})
	}
	return all
}
