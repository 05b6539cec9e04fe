package connector

const (
	callBytes    = 512       // that an unanswered request takes besides its id
	waitBytes    = 12 << 10  // that one takes besides while its answer waits for room or history
	backlogTotal = 64 << 20  // of all channels' backlogs together
	maxQueued    = 256 << 20 // that wait to be sent to all sessions together, where Config says nothing
)
