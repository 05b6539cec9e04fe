// Package verify compares the three places where Parley keeps messages with
// each other: the log (parley.events), the chat workers' checkpoints
// (parley.state) and the history in ClickHouse. It only reads, and it may do
// so while everything runs.
//
// The log is the truth; the others are derived from it:
//
//   - every event up to the watermark has its row, once, at its offset, with
//     its content and the verdict of the rule for void events, and nothing else
//     has one;
//   - the public messages of a channel, read from ClickHouse as a reader does,
//     are the chain that the log makes;
//   - a checkpoint is the fold of its partition up to its marker;
//   - all name the same epoch and the same topic.
//
// Partitions are looked at one after the other, each in one pass, so that the
// memory needed is about what a chat worker needs for one partition. Contents
// of messages are compared and never reported: a report may be shown to anyone.
package verify
