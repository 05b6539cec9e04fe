package rpc

import "strconv"

// SearchParams ask for messages by their words, newest first.
type SearchParams struct {
	// Query is 1 to 256 bytes with 1 to 16 words; a message has to have all of them.
	Query string `json:"query"`
	// Channel, which need not be joined; absent: all that the session has joined.
	Channel string `json:"channel,omitempty"`
	// User asks for what one user said.
	User string `json:"user,omitempty"`
	// From and To bound the time, in milliseconds; To is exclusive.
	From *int64 `json:"from,omitempty"`
	To   *int64 `json:"to,omitempty"`
	// Before is that of the result before.
	Before string `json:"before,omitempty"`
	// Limit is 1 to 100; default 20.
	Limit *int `json:"limit,omitempty"`
}

// Found is a message that a search has found, as changes have made it.
type Found struct {
	Message
	// Epoch in which Seq counts.
	Epoch string `json:"epoch"`
	// Highlight has where the words are in Body: from, inclusive, and to, exclusive, in
	// UTF-16 code units; ascending.
	Highlight [][2]int `json:"highlight"`
}

// SearchResult is a page, newest first.
type SearchResult struct {
	Messages []Found `json:"messages"`
	// More: there may be older ones, from Before on.
	More   bool   `json:"more"`
	Before string `json:"before,omitempty"`
}

// AppendFound appends f as a JSON object.
func AppendFound(b []byte, f *Found) []byte {
	b = AppendMessage(b, &f.Message)
	b = appendString(append(b[:len(b)-1], `,"epoch":`...), f.Epoch)
	return append(AppendJSON(append(b, `,"highlight":`...), f.Highlight), '}')
}

// AppendSearchResult appends r. Its messages are given as AppendFound wrote them, in
// place of those in r.
func AppendSearchResult(b []byte, r *SearchResult, messages [][]byte) []byte {
	b = appendList(append(b, `{"messages":`...), messages)
	b = strconv.AppendBool(append(b, `,"more":`...), r.More)
	return append(appendText(b, `,"before":`, r.Before), '}')
}
