package room

import "github.com/parley-chat/parley/schema/rpc"

// Signals tells the members of other users what signals say, at once, and returns how
// many were handed to outlets, and how many were left out: those for members who read
// slowly, and all of them in a crowd.
func (c *Channel) Signals(all []rpc.SignalPush) (delivered, dropped int) {
	if len(c.replica.users) > c.options.Presence {
		return 0, len(all)
	}
	for _, f := range c.fans {
		more, less := f.signals(all)
		delivered, dropped = delivered+more, dropped+less
	}
	return delivered, dropped
}

// signals lays all frames end to end: members get the same bytes, but for those of
// their own.
func (f *fan) signals(all []rpc.SignalPush) (delivered, dropped int) {
	if len(f.members) == 0 {
		return 0, 0
	}
	var out []byte
	ends := make([]int, len(all))
	of := make(map[string][]int, len(all))
	for i := range all {
		out = f.dialect.AppendPush(out, rpc.PushSignal, &all[i])
		ends[i] = len(out)
		of[all[i].User] = append(of[all[i].User], i)
	}
	if len(out) == 0 { // the dialect has no word for them
		return 0, 0
	}
	for _, m := range f.members {
		if m.stage != live {
			continue
		}
		more, less := m.offer(out, ends, of[m.User])
		delivered, dropped = delivered+more, dropped+less
	}
	return delivered, dropped
}

// offer offers a member frames, which lie end to end, without some of them.
func (m *Member) offer(out []byte, ends, without []int) (delivered, dropped int) {
	from, at := 0, 0 // a byte and a frame
	part := func(to, end int) {
		switch {
		case to == at:
		case m.Outlet.Offer(out[from:end:end]):
			delivered += to - at
		default:
			dropped += to - at
		}
	}
	for _, own := range without {
		start := 0
		if own > 0 {
			start = ends[own-1]
		}
		part(own, start)
		from, at = ends[own], own+1
	}
	part(len(ends), len(out))
	return delivered, dropped
}
