// Package checker compares what clients recorded with the log, which is the
// truth, and with what workers and the projector made of the log. It knows
// nothing of how a run was made: it reads recordings, events, pushes and rows,
// and returns violations of the guarantees.
//
// Its reading of the log is its own: membership, who came and who went, what a
// message is after its changes, and the two chains of a channel are computed here
// from the events, with nothing shared but the void rule. It also makes, of what
// each device was told and nothing else, the timeline that a client shows, and
// compares that.
package checker
