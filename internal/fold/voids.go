package fold

// voidActs lists the void chats, and other void acts, of each channel within the newest offsets.
type voidActs struct {
	window    int64
	byChannel map[string]*voidList
	queue     []*voidList // whose first offset is the next to forget, in order
}

// voidList is what a channel has of them. Its name is kept here, once.
type voidList struct {
	channel string
	offsets []int64 // ascending
}

func newVoidActs(window int64) *voidActs {
	return &voidActs{window: window, byChannel: map[string]*voidList{}}
}

// add takes a void act. Offsets ascend.
func (v *voidActs) add(offset int64, channel string) {
	list := v.byChannel[channel]
	if list == nil {
		list = &voidList{channel: channel}
		v.byChannel[channel] = list
	}
	list.offsets = append(list.offsets, offset)
	v.queue = append(v.queue, list)
}

// forget drops what lies more than the window before offset.
func (v *voidActs) forget(offset int64) {
	for len(v.queue) > 0 && v.queue[0].offsets[0] < offset-v.window {
		list := v.queue[0]
		v.queue[0], v.queue = nil, v.queue[1:]
		if list.offsets = list.offsets[1:]; len(list.offsets) == 0 {
			delete(v.byChannel, list.channel)
		}
	}
}

// of returns a copy of the channel's list.
func (v *voidActs) of(channel string) []int64 {
	if list := v.byChannel[channel]; list != nil {
		return append([]int64(nil), list.offsets...)
	}
	return nil
}
