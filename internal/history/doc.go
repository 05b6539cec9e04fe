// Package history reads a channel's messages: what the projector wrote to
// ClickHouse up to its watermark W, and the log itself above W, as one list
// without a gap or a repeat.
//
// W is read before the rows, and only rows up to W are used, so a projector
// that continues meanwhile changes nothing. An old W is as correct
// as a new one: it only makes the part that comes from the log longer. Void
// chats are left out on both sides by the same rule, which the projector
// applied to the rows; for the log it is either the caller's list of void
// offsets, or the rule itself applied from one window earlier.
package history
