package fold

// voidChats lists the void chats of each channel within the newest offsets.
type voidChats struct {
	window    int64
	byChannel map[string][]int64 // ascending
	queue     []voidChat         // what to forget, in order
}

type voidChat struct {
	offset  int64
	channel string
}

func newVoidChats(window int64) *voidChats {
	return &voidChats{window: window, byChannel: map[string][]int64{}}
}

// add takes a void chat. Offsets ascend.
func (v *voidChats) add(offset int64, channel string) {
	v.byChannel[channel] = append(v.byChannel[channel], offset)
	v.queue = append(v.queue, voidChat{offset, channel})
}

// forget drops what lies more than the window before offset.
func (v *voidChats) forget(offset int64) {
	for len(v.queue) > 0 && v.queue[0].offset < offset-v.window {
		channel := v.queue[0].channel
		v.queue = v.queue[1:]
		if v.byChannel[channel] = v.byChannel[channel][1:]; len(v.byChannel[channel]) == 0 {
			delete(v.byChannel, channel)
		}
	}
}

// of returns a copy of the channel's list.
func (v *voidChats) of(channel string) []int64 {
	return append([]int64(nil), v.byChannel[channel]...)
}
