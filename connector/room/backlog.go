package room

import "github.com/parley-chat/parley/schema/rpc"

// BacklogBytes bounds what a channel keeps for joins whose result is being
// made. Beyond it they are closed as slow consumers, and come back.
const BacklogBytes = 8 << 20

// deliveryBytes is what a frame takes in a backlog besides its bytes.
const deliveryBytes = 64

// delivery is one frame and who gets it.
type delivery struct {
	frame      []byte
	message    bool   // rather than news of who came or went
	moderators bool   // of what has a to: and those who moderate
	user, to   string // of what is private; "" for everyone
	id         string // of a private message
}

func (d *delivery) reaches(m *Member) bool {
	return d.to == "" || d.to == m.User || d.user == m.User && !m.hasSent(d.id) || d.moderators && m.Moderates.Load()
}

// size is what d takes in a backlog.
func (d *delivery) size() int { return len(d.frame) + deliveryBytes }

// keep keeps d for those whose result is being made.
func (f *fan) keep(d delivery) {
	if len(f.readers) == 0 {
		return
	}
	if !f.backlogs.Reserve(&f.backlogBytes, d.size(), BacklogBytes) {
		f.dropReaders()
		return
	}
	f.backlog = append(f.backlog, d)
}

// dropReaders closes the sessions whose results take too long.
func (f *fan) dropReaders() {
	for _, m := range f.readers {
		m.Outlet.Close(rpc.CloseSlow, "slow consumer: too much happened while the history was read")
		m.cursor = f.passed + len(f.backlog)
	}
	f.trimBacklog()
}

// trimBacklog forgets what no result in the making needs.
func (f *fan) trimBacklog() {
	n := len(f.backlog)
	if len(f.readers) > 0 {
		n = f.readers[0].cursor - f.passed
	}
	freed := 0
	for i := range n {
		freed += f.backlog[i].size()
	}
	clear(f.backlog[:n])
	f.backlog, f.passed = f.backlog[n:], f.passed+n
	if len(f.backlog) == 0 {
		f.backlog = nil
	}
	f.backlogs.Release(&f.backlogBytes, freed)
}
