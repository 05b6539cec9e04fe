package rules

import (
	"context"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// Rule is a rule that is in force. Times are Unix milliseconds.
type Rule struct {
	// Kind is revoked, revoked-token, barred, grant or order.
	Kind string `json:"kind"`
	User string `json:"user,omitempty"`
	JTI  string `json:"jti,omitempty"` // of a revoked token
	// Before: tokens that were issued before then are revoked.
	Before int64 `json:"before,omitempty"`
	// Until is the end of a bar, or of the memory of a revoked token; 0: none.
	Until     int64   `json:"until,omitempty"`
	Grants    []Grant `json:"grants,omitempty"`
	Session   string  `json:"session,omitempty"` // that an order is about; "": all
	Reconnect bool    `json:"reconnect,omitempty"`
	// ByUser or ByKey wrote it: "cli" are these commands.
	ByUser string `json:"by_user,omitempty"`
	ByKey  string `json:"by_key,omitempty"`
	Reason string `json:"reason,omitempty"`
	Time   int64  `json:"time,omitempty"` // when it was written
}

// Grant is a grant as in a token.
type Grant struct {
	Channels []string `json:"channels"`
	Allow    []string `json:"allow"`
}

// Listed is what parley.rules says.
type Listed struct {
	Rules []Rule `json:"rules"`
	// Corrupt records were skipped, as every connector does.
	Corrupt int `json:"corrupt,omitempty"`
}

// List returns the rules that are in force, by kind and name; with a user, those
// about this one alone.
func List(ctx context.Context, kafka *eventlog.Client, user string) (Listed, error) {
	l, err := rules.Load(ctx, kafka)
	if err != nil {
		return Listed{}, explain(err)
	}
	now := time.Now()
	out := Listed{Rules: []Rule{}, Corrupt: l.Corrupt}
	for _, r := range l.Table.Rules() {
		if shown, inForce := show(r, now); inForce && (user == "" || shown.User == user) {
			out.Rules = append(out.Rules, shown)
		}
	}
	return out, nil
}

// show is a rule for people; false when it is over.
func show(r rules.Rule, now time.Time) (out Rule, inForce bool) {
	out.Kind, out.User = r.Kind.String(), r.Name
	var by *schema.Author
	switch v := r.Value.(type) {
	case *schema.Revocation:
		out.Before, by, out.Reason, out.Time = v.Before, v.By, v.Reason, v.Time
	case *schema.TokenRevocation:
		out.User, out.JTI = "", r.Name
		out.Until, by, out.Reason, out.Time = v.Until, v.By, v.Reason, v.Time
	case *schema.Bar:
		out.Until, by, out.Reason, out.Time = v.Until, v.By, v.Reason, v.Time
	case *schema.UserGrants:
		by, out.Time = v.By, v.Time
		for _, g := range v.Grants {
			out.Grants = append(out.Grants, Grant{append([]string{}, g.Channels...), append([]string{}, g.Allow...)})
		}
		if len(v.Grants) == 0 {
			return out, false
		}
	case *schema.Order:
		out.Session, out.Reconnect, by, out.Reason, out.Time = v.Session, v.Reconnect, v.By, v.Reason, v.Time
	}
	out.ByUser, out.ByKey = by.GetUser(), by.GetKey()
	return out, out.Until == 0 || out.Until > now.UnixMilli()
}
