//go:build !parkalways

package ws

import "time"

// parkAfter is how long nothing has to come from a connection before it is parked. A
// client that says something every second is not worth the system calls. One that has
// answered a ping alone is parked again at once.
const parkAfter = 2 * time.Second
