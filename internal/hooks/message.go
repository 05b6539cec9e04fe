package hooks

import (
	"crypto/sha256"
	"encoding/base64"
)

// messageID is the id of a body, which is the same where all of it is.
func messageID(body []byte) string {
	sum := sha256.Sum256(body)
	return "msg_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}
