// Package tracing makes the spans of the components' work, named by
// OpenTelemetry's semantic conventions for messaging, databases and RPC.
// It knows only the API of traces; where spans go is decided by package
// telemetry.
//
// One message is one trace:
//
//	chat                          connector, the request
//	└ send parley.events          connector, until it is durable
//	  ├ process parley.events     chatworker
//	  │ └ send parley.push        chatworker, for each connector with members
//	  │   └ process parley.push   connector, the fan-out to all its members
//	  └ process parley.events     projector, until the row is stored
//
// The request decides whether its trace is sampled. Only a sampled trace
// travels on, in the headers of records: what follows from a request that is
// not sampled costs nothing. What fails gets a span all the same, made when it
// fails.
//
// Spans never hold what people say or who they are: no body, no user, no
// recipient, no token, and no text of an error, which could quote any of them.
// An error's text is in the log, beside the trace id.
package tracing
