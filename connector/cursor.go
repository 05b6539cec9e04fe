package connector

import (
	"encoding/base64"
	"encoding/json"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
)

// maxCursor is above the longest one: names of 128 bytes that JSON escapes.
const maxCursor = 2048

// cursorOf is a place in the order of a search as clients have it. It holds nothing that
// they have not seen, and may be of any search.
func cursorOf(p history.Place) string {
	b, _ := json.Marshal([]any{p.Epoch, p.Time, p.Channel, p.Seq}) // of strings and numbers
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor is the reverse; false: the text is not one.
func parseCursor(text string) (p history.Place, ok bool) {
	if len(text) > maxCursor {
		return p, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return p, false
	}
	parts := []any{&p.Epoch, &p.Time, &p.Channel, &p.Seq}
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) != 4 {
		return p, false
	}
	ok = schema.CheckName(p.Epoch) == nil && schema.CheckName(p.Channel) == nil && p.Time >= 0 && p.Time <= maxSearchTime && p.Seq > 0 && p.Seq <= params.MaxSeq
	return p, ok
}
