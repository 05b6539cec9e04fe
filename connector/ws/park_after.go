//go:build !parkalways

package ws

import "time"

// parkAfter is how long nothing has to come from a connection before it is parked. A
// client that says something every second is not worth the system calls; one that
// answers pings alone holds a goroutine for a small part of the time.
const parkAfter = 2 * time.Second
