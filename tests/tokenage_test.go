package tests

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/roles"
)

// Connectors tell how old tokens can get: by that it is decided how long the
// revocation of one is remembered.
func TestRevocationIsRememberedForAsLongAsTokensLast(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	aged := func(age time.Duration) *role {
		return c.connector(func(cfg *connector.Config) {
			cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: grantsKey}}, Algorithms: []string{"HS256"}, MaxAge: age}
		})
	}
	remembered := func() string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := cli.Run([]string{"revoke", "--token", "id", "--kafka", c.kafka}, &out, &errs); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		_, until, _ := strings.Cut(strings.TrimSuffix(out.String(), ".\n"), "which is remembered ")
		return until
	}
	aged(time.Hour)
	aged(48 * time.Hour)
	now := time.Now()
	until, err := time.Parse("until "+time.RFC3339, remembered())
	if left := until.Sub(now); err != nil || left < 48*time.Hour-time.Second || left > 49*time.Hour {
		t.Errorf("it is remembered until %v (%v)", until, err)
	}
	aged(0)
	if got := remembered(); !strings.HasPrefix(got, "for ever") {
		t.Errorf("where tokens may last for ever, it is remembered %s", got)
	}
	all, err := roles.Connectors(soon(t), c.log())
	if err != nil || len(all) != 3 {
		t.Errorf("there are %v, error %v", all, err)
	}
}
