// Package params reads requests that become events: what their params must look
// like, and which event they make. What it takes to judge them besides, such as
// grants and the message that is changed, is the caller's. It does no I/O.
package params
