package rules

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Kind is what a rule is about. The zero value is none that this version knows.
type Kind uint8

// The kinds of rules.
const (
	Revoked      Kind = iota + 1 // the tokens of a user, a *schema.Revocation
	RevokedToken                 // one token, a *schema.TokenRevocation
	Barred                       // a user, a *schema.Bar
	Granted                      // to a user, a *schema.UserGrants
	Ordered                      // about a user's sessions, a *schema.Order
	Format                       // of the log, a *schema.RulesFormat
)

var kinds = [...]string{
	Revoked: "revoked", RevokedToken: "revoked-token", Barred: "barred", Granted: "grant", Ordered: "order", Format: "format",
}

// String is how keys of the kind begin; "" for anything else.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return ""
}

// names take the names out of keys.
var names = [...]func(key string) (name string, ok bool){
	Revoked: schema.RulesRevokedOf, RevokedToken: schema.RulesRevokedTokenOf, Barred: schema.RulesBarredOf,
	Granted: schema.RulesGrantOf, Ordered: schema.RulesOrderOf,
}

// Bounds of a rule, in bytes.
const (
	MaxReason  = 512
	MaxTokenID = 8 << 10 // of a jti: no token is longer
	// maxValue fits the grants that a token may hold.
	maxValue = 288 << 10
)

// Bounds of a user's grants: those of a token.
const (
	maxGrants   = 64
	maxPatterns = 16
	maxActions  = 64 // far more than there are
)

// maxTime is the end of the year 9999, in Unix milliseconds.
const maxTime = 253_402_300_799_999

// never is an end that does not come.
const never = math.MaxInt64

// Rule is one record of parley.rules.
type Rule struct {
	Kind Kind
	// Name is the user, or the jti of the token; empty for the format.
	Name string
	// Value is as the kind says; nil for a tombstone.
	Value proto.Message
}

// Key is the key of the rule's record.
func (r Rule) Key() string { return keyOf(r.Kind, r.Name) }

func keyOf(k Kind, name string) string {
	switch k {
	case Revoked:
		return schema.RulesKeyRevoked(name)
	case RevokedToken:
		return schema.RulesKeyRevokedToken(name)
	case Barred:
		return schema.RulesKeyBarred(name)
	case Granted:
		return schema.RulesKeyGrant(name)
	case Ordered:
		return schema.RulesKeyOrder(name)
	}
	return schema.RulesKeyFormat
}

// Decode reads a record of parley.rules. One whose key this version does not know
// has kind 0, without an error.
func Decode(key string, value []byte) (Rule, error) {
	r, ok := named(key)
	if !ok {
		return Rule{}, nil
	}
	if err := r.checkName(); err != nil {
		return Rule{}, err
	}
	if value == nil {
		return r, nil
	}
	if len(value) > maxValue {
		return Rule{}, fmt.Errorf("a record %s/…: the value has %d bytes, and may have %d", r.Kind, len(value), maxValue)
	}
	r.Value = empty(r.Kind)
	if err := proto.Unmarshal(value, r.Value); err != nil {
		return Rule{}, fmt.Errorf("a record %s/…: the value cannot be decoded: %w", r.Kind, err)
	}
	if err := check(r.Value); err != nil {
		return Rule{}, fmt.Errorf("a record %s/…: the value is not valid: %w", r.Kind, err)
	}
	return r, nil
}

// named is the rule that a key is of.
func named(key string) (r Rule, ok bool) {
	if key == schema.RulesKeyFormat {
		return Rule{Kind: Format}, true
	}
	for kind, of := range names {
		if of == nil {
			continue
		}
		if name, ok := of(key); ok {
			return Rule{Kind: Kind(kind), Name: name}, true
		}
	}
	return Rule{}, false
}

func empty(k Kind) proto.Message {
	switch k {
	case Revoked:
		return &schema.Revocation{}
	case RevokedToken:
		return &schema.TokenRevocation{}
	case Barred:
		return &schema.Bar{}
	case Granted:
		return &schema.UserGrants{}
	case Ordered:
		return &schema.Order{}
	}
	return &schema.RulesFormat{}
}

func (r Rule) checkName() error {
	switch r.Kind {
	case Format:
		return nil
	case RevokedToken:
		if r.Name == "" || len(r.Name) > MaxTokenID || !utf8.ValidString(r.Name) {
			return fmt.Errorf("a record %s/…: the jti must be 1 to %d bytes of UTF-8", r.Kind, MaxTokenID)
		}
		return nil
	}
	if err := schema.CheckName(r.Name); err != nil {
		return fmt.Errorf("a record %s/…: the user %w", r.Kind, err)
	}
	return nil
}

// check reports what is wrong with a value. That it is UTF-8 is seen when it is
// decoded.
func check(value proto.Message) error {
	switch v := value.(type) {
	case *schema.Revocation:
		if v.Before <= 0 || v.Before > maxTime {
			return errors.New("before is not a time after 1970")
		}
		return errors.Join(checkReason(v.Reason), checkTimes(v.Time))
	case *schema.TokenRevocation:
		return errors.Join(checkReason(v.Reason), checkTimes(v.Until, v.Time))
	case *schema.Bar:
		return errors.Join(checkReason(v.Reason), checkTimes(v.Until, v.Time))
	case *schema.UserGrants:
		return errors.Join(checkGrants(v.Grants), checkTimes(v.Time))
	case *schema.Order:
		if len(v.Session) > schema.MaxID {
			return fmt.Errorf("the session has more than %d bytes", schema.MaxID)
		}
		return errors.Join(checkReason(v.Reason), checkTimes(v.Time))
	case *schema.RulesFormat:
		if v.Number <= 0 {
			return errors.New("the number of a format is 1 or more")
		}
		if v.Epoch == "" {
			return errors.New("it does not say which epoch's format it is")
		}
	}
	return nil
}

func checkReason(reason string) error {
	if len(reason) > MaxReason {
		return fmt.Errorf("the reason has more than %d bytes", MaxReason)
	}
	return nil
}

func checkTimes(times ...int64) error {
	for _, t := range times {
		if t < 0 || t > maxTime {
			return errors.New("a time is not within the years 1970 to 9999")
		}
	}
	return nil
}

// checkGrants checks the numbers that a token's grants have too. What patterns
// mean is for whoever compiles them.
func checkGrants(grants []*schema.Grant) error {
	if len(grants) > maxGrants {
		return fmt.Errorf("there are more than %d grants", maxGrants)
	}
	for _, g := range grants {
		if len(g.Channels) > maxPatterns || len(g.Allow) > maxActions {
			return fmt.Errorf("a grant has more than %d patterns, or %d actions", maxPatterns, maxActions)
		}
	}
	return nil
}

// OrderLife is how long an order is in force.
const OrderLife = 30 * time.Second

// end is when a rule that was appended at a time is over, in Unix milliseconds.
// For a revocation it is the time that its age counts from.
func end(value proto.Message, appended time.Time) int64 {
	until := int64(0)
	switch v := value.(type) {
	case *schema.Revocation:
		return v.Before
	case *schema.TokenRevocation:
		until = v.Until
	case *schema.Bar:
		until = v.Until
	case *schema.UserGrants:
		if len(v.Grants) == 0 {
			return appended.UnixMilli()
		}
	case *schema.Order:
		return appended.Add(OrderLife).UnixMilli()
	}
	if until == 0 {
		return never
	}
	return until
}
