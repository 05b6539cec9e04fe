//go:build parkalways

package ws

import "time"

// parkAfter is next to nothing, for tests: connections are parked after every message.
const parkAfter = time.Nanosecond
