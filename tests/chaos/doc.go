// Package chaos runs Parley as its operators do, every role a process of its
// own on a broker and a ClickHouse of its own, lets recorded clients chat,
// and meanwhile kills, pauses and cuts off what it finds. In the end
// everything is healed, and what was recorded is checked against the log.
//
// A seed decides what clients do and which faults come when; the processes and
// the machine decide the rest, so a seed repeats a plan, not a run.
package chaos
