// Package eventlog is the plumbing between this program and Kafka: it moves
// bytes into and out of partitions, and names their offsets. It does not
// know what the bytes mean.
//
// A [Client] stands for one cluster. From it come
//
//   - [Producer]s, which are idempotent, keep the order of calls within a
//     partition and batch by themselves: whatever queued while a request was
//     under way goes into the next one;
//   - [Reader]s, which follow one partition from an exact offset;
//   - [Client.RunGroup], which runs one function for every partition that a
//     consumer group assigns to this process;
//   - [Client.TopicInfo] and [Client.Offsets]: which topic it is, and what it holds.
//
// Package admin describes and changes clusters with it.
//
// The pool of connections, the mechanisms of a login and the group protocol are
// kafka-go's. Its Writer is not used: it has no producer id and no transactional
// id. A batch whose answer was lost would be in the log twice after the retry,
// and nothing would fence the writer that an owner of a partition has replaced.
// So a [Producer] takes an id, numbers its batches (KIP-98) and sends them itself.
//
// Producers, and readers that ask for it, have connections of their own, without
// the pool's hand-over from goroutine to goroutine. What they say is encoded by
// package kmsg; who leads what they learn from the pool.
//
// Everything waits for a cluster that is down, with back-off, for as long as
// its context allows; errors are returned only where waiting cannot help.
//
// The package asks for brokers of Kafka 3.1 or newer: it fetches by topic id,
// so that a topic that was deleted and created again is never read as if it
// were the old one.
package eventlog
