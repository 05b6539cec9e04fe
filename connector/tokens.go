package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// setTokens prepares what tokens are verified with, where there is
// authentication. keys are those at a URL, else nil.
func (cfg *Config) setTokens() (keys *identity.Remote, err error) {
	if cfg.Auth == nil {
		return nil, nil
	}
	if cfg.Auth.JWKS != "" {
		keys, err = identity.NewRemote(cfg.Auth.JWKS, cfg.Logger)
	}
	cfg.tokens = identity.NewVerifier(*cfg.Auth, keys)
	return keys, err
}

// fetchKeys fetches the keys of tokens, where they are at a URL, until stop is
// called. It returns when there are some, or ctx ends; with an error when the first
// answer shows that the address is wrong.
func (c *Connector) fetchKeys(ctx context.Context) (stop func(), err error) {
	if c.keys == nil {
		return func() {}, nil
	}
	first := make(chan error, 1)
	stop = outlive(ctx, func(life context.Context) {
		c.keys.Run(life, func(err error) {
			c.metrics.fetchedKeys(err)
			select {
			case first <- err:
			default:
			}
		})
	})
	select {
	case err := <-first:
		if errors.Is(err, identity.ErrNoSet) {
			return stop, fmt.Errorf("--auth-jwks: %s is asked for the keys of tokens, and %w: give the address of the key set, which its issuer calls jwks_uri", c.keys.Host(), err)
		}
	case <-ctx.Done():
	}
	select {
	case <-c.keys.First():
	case <-ctx.Done():
	}
	return stop, nil
}

// keyTrouble is why the keys of tokens cannot be fetched; missing is whether
// there are none at all.
func (c *Connector) keyTrouble() (text string, missing bool) {
	if c.keys == nil {
		return "", false
	}
	return c.keys.Trouble()
}

// AwaitsKeys reports whether the connector waits for the keys of tokens, which it
// never had: then it takes no clients.
func (c *Connector) AwaitsKeys() bool {
	_, missing := c.keyTrouble()
	return missing
}

// identify says who a session is: by its token, or, without authentication, as
// it says itself.
func (s *session) identify(p rpc.HelloParams) (identity.User, error) {
	tokens := s.inc.cfg.tokens
	if tokens == nil {
		if bad := params.CheckNewName("user", p.User); bad != nil {
			return identity.User{}, bad
		}
		return identity.User{Name: p.User}, nil
	}
	if bad := s.pace.token(); bad != nil {
		return identity.User{}, bad
	}
	token := p.Token
	if token == "" {
		token = s.bearer
	}
	return tokens.Verify(s.inc.ctx, token)
}

// distrust answers a hello whose token is not accepted, and ends its session.
// One that is to try later gets no answer: an error there says that nothing
// will change.
func (c *call) distrust(why error) {
	front, refusal := c.session.front, rpc.Unauthenticated(why.Error())
	switch {
	case errors.Is(why, identity.ErrLater):
		front.Close(rpc.CloseTryLater, why.Error()+": try later")
		c.fail(refusal)
	case errors.Is(why, identity.ErrExpired):
		c.fail(refusal)
		front.Close(rpc.CloseExpired, why.Error())
	default:
		c.fail(refusal)
		front.Close(rpc.CloseBadToken, "invalid token")
	}
}

// dismiss answers a hello of a session that must not go on, and ends it.
func (c *call) dismiss(v *verdict) {
	front := c.session.front
	if v.answer == nil { // which says that nothing will change
		front.Close(v.code, v.reason)
		c.fail(rpc.Unauthenticated(v.reason))
		return
	}
	c.fail(v.answer)
	front.Close(v.code, v.reason)
}

// known takes note of who the session is.
func (s *session) known(who identity.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user == "" {
		s.greeted = time.Now()
	}
	s.user, s.token, s.info = who.Name, who.Stamp, who.Info
	s.rights.claim, s.rights.compiled = who.Grants, false
}

// greeting answers hello.
func (s *session) greeting() rpc.HelloResult {
	s.mu.Lock()
	user, info := s.user, s.info
	s.mu.Unlock()
	return rpc.HelloResult{
		Session: s.id, User: user, Info: info, Connector: s.inc.id, Epoch: s.inc.log.Epoch, Version: rpc.Version,
		Ping: s.inc.cfg.ClientPing.Milliseconds(), Traces: s.inc.cfg.Traces, Limits: s.limits(),
	}
}
