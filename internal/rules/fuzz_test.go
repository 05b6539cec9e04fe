package rules_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// A record of parley.rules is refused and changes nothing, or is a rule that can be
// written again.
func FuzzRules(f *testing.F) {
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add("revoked/ada", marshal(&schema.Revocation{Before: 1}))
	f.Add("barred/ada", marshal(&schema.Bar{Until: -1}))
	f.Add("grant/ada", marshal(&schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{"*****"}, Allow: []string{"*"}}}}))
	f.Add("order/ada", marshal(&schema.Order{Time: 1}))
	f.Add("format", []byte("\xff"))
	f.Add("revoked/", []byte(nil))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		table := rules.NewTable()
		_, err := table.Apply(key, value, time.UnixMilli(1_790_000_000_000))
		r, wrong := rules.Decode(key, value)
		if err == nil && wrong != nil {
			t.Errorf("%q %x is applied, though %v", key, value, wrong)
		}
		if err != nil && table.Stats().Records != 0 {
			t.Errorf("%q %x is refused with %v, and kept", key, value, err)
		}
		if wrong == nil && r.Kind != 0 && r.Key() != key {
			t.Errorf("%q is read as %q", key, r.Key())
		}
	})
}
