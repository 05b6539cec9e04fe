package connector

import (
	"context"
	"crypto/tls"
	"time"
)

// tls is how clients connect; nil: without it.
func (cfg *Config) tls() *tls.Config {
	if cfg.Certificate == nil {
		return nil
	}
	return cfg.Certificate.Config()
}

// followCertificate reads the certificate again when its files change, until
// stop is called: clients come while the connector drains, too.
func (c *Connector) followCertificate(ctx context.Context) (stop func()) {
	if c.cfg.Certificate == nil {
		return func() {}
	}
	return outlive(ctx, c.cfg.Certificate.Follow)
}

// certificateTroubles are what is wrong with the certificate, or will be soon.
func (c *Connector) certificateTroubles() []string {
	if c.cfg.Certificate == nil {
		return nil
	}
	return c.cfg.Certificate.Troubles(time.Now())
}

// ofCertificate reads a time of the certificate, as Unix time in seconds.
func (c *Connector) ofCertificate(read func() time.Time) func() (float64, bool) {
	if c.cfg.Certificate == nil {
		return func() (float64, bool) { return 0, false }
	}
	return func() (float64, bool) { return float64(read().Unix()), true }
}
