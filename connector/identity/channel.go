package identity

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema/strict"
)

// ChannelToken is what a token grants its user in one channel.
type ChannelToken struct {
	Stamp
	Allow grants.Actions
}

// Timed is the grant that the token is.
func (t *ChannelToken) Timed(channel string) grants.Timed {
	return grants.Timed{Channel: channel, Allow: t.Allow, Until: t.Expires, Token: t.ID, Issued: t.Issued}
}

// readChannel says what the claims of a verified token grant a user in a channel.
// Its errors quote nothing of them.
func (a *Auth) readChannel(payload []byte, user, channel string, now time.Time) (t ChannelToken, err error) {
	var c claims
	if err := strict.Unmarshal(payload, &c); err != nil {
		return t, fmt.Errorf("the token's claims cannot be read: %w", err)
	}
	var whose, where string
	if whose, t.Stamp, err = a.about(c, now); err != nil {
		return t, err
	}
	if whose != user {
		return t, errors.New("the token is another user's")
	}
	if c["channel"] == nil {
		return t, errors.New("the token is for hello, not for a channel")
	}
	if strict.Unmarshal(c["channel"], &where) != nil || where != channel {
		return t, errors.New("the token is for another channel")
	}
	if t.Allow, err = grants.ParseAllow(c["allow"]); err != nil {
		return t, fmt.Errorf("what the token allows cannot be used: %w", err)
	}
	if !now.Before(t.Expires) { // last: nothing else may be wrong
		return t, ErrExpired
	}
	return t, nil
}
