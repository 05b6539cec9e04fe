package rpc

import "testing"

// What a connector does with each frame of a client before anything else.
func BenchmarkRequests(b *testing.B) {
	for name, frame := range map[string]string{
		"chat":    `{"jsonrpc":"2.0","id":12345,"method":"chat","params":{"channel":"lobby","body":"How about lunch at the place by the river, half past twelve?","id":"01JC2Z6V5Y8Q4W7K9M3N2P1R0S"}}`,
		"escaped": `{"jsonrpc":"2.0","id":12345,"method":"chat","params":{"channel":"lobby","body":"How about lunch \ud83d\ude00 at \"the place\" by the river?\n","id":"01JC2Z6V5Y8Q4W7K9M3N2P1R0S"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r, bad := Parse([]byte(frame))
				var p ChatParams
				if bad == nil {
					bad = Decode(r.Params, &p)
				}
				if bad != nil || p.Channel != "lobby" {
					b.Fatal(bad)
				}
			}
		})
	}
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			r, bad := Parse([]byte(`{"jsonrpc":"2.0","id":12345,"method":"history","params":{"channel":"lobby","before":123456,"limit":50}}`))
			var p HistoryParams
			if bad == nil {
				bad = Decode(r.Params, &p)
			}
			if bad != nil || *p.Limit != 50 {
				b.Fatal(bad)
			}
		}
	})
}
