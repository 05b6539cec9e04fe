// Package fold is the chat worker's logic: the state of one partition of
// parley.events, and what each event means for the connectors. It does no I/O
// and knows no clock and no randomness, so that everything it emits is a
// function of the log's prefix alone: a replay, a restart or a worker that
// wakes up late emits the same pushes again, byte for byte, and a receiver
// drops what it has seen. It is a package of its own so that tests can drive
// the production code through crashes and replays without a broker.
//
// # Checkpoints
//
// A Fold keeps track of the keys that changed. Flush returns one record for
// each and then a marker with the offset to resume at. The owner of a
// partition waits until every push of an event below that offset is
// acknowledged, and only then writes the records, in their order. To take
// over, it reads all of them, lets Restore rebuild the Fold at the newest
// marker, and applies the log from ReadFrom on: two windows before the marker,
// because the list of void chats reaches one window back and each of them is
// judged by the window before it.
//
// A crash can leave records of a flush whose marker was never written. Such a
// Fold begins with facts from its future, and this is harmless:
//
//   - A membership, a channel's last message or a sanction takes the value of
//     the last event that touched it, whatever it was before; of settings each
//     field does. Every event between the marker and the end of the torn flush
//     is applied again, so by then every key is right. This needs session ids
//     that no two connectors share, each of one user. Pins do depend on what
//     they were before, as one too many drops another: they have the offset of
//     the last event that touched them, and leave out what they have.
//   - Until then pushes could be wrong, but none of these is sent: a flush
//     begins with the connectors, each with the stamp of its last push, and
//     begins after these pushes were acknowledged. So a stamp above the marker
//     shows which pushes of its connector are in parley.push already, and
//     Apply leaves them out; a connector without such a stamp was sent nothing
//     in between. No later flush lowers such a stamp, and a connector that is
//     declared down keeps its record, with its last stamp, until the next
//     flush.
//
// What a Fold sends after Restore is therefore a part of what it would have
// sent without the crash: the same bytes with the same stamps.
package fold
