// Package ingest appends to the log what backends write to parley.commands, as the
// server API does what it is asked.
//
//	an owner per partition of commands: read → decode → judge → append ─▶ parley.events
//	                                                     │ commit: offset and note
//	                                                     └─▶ parley.commands.rejected
//
// A command is carried out once, whatever dies. The owner of a partition commits, beside
// the offset of its next command, where each partition of the events ended; at that
// moment nothing of it is under way. So what it had appended of the commands from that
// offset on lies at or above those ends. Whoever takes the partition over fences it,
// reads the events from there, and skips the commands that it finds: each has an id, its
// own or one that is made of its position.
package ingest
