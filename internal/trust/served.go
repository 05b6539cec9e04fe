package trust

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/quote"
)

const (
	// lookEvery is how often the files of a certificate are compared with what
	// is served.
	lookEvery = 5 * time.Second
	// maxFile bounds the file of a certificate with its chain, or of a key.
	maxFile = 1 << 20
	// A certificate should have been renewed when two weeks are left, or a sixth
	// of its time where that is less. Who renews by itself does it at a third.
	dueBefore   = 14 * 24 * time.Hour
	dueFraction = 6
	day         = 24 * time.Hour
)

// Served is the certificate of a server and its key, which are read again when
// their files change. Safe for concurrent use.
type Served struct {
	certFile, keyFile string
	log               *slog.Logger
	every             time.Duration

	current atomic.Pointer[certificate]

	mu     sync.Mutex
	failed attempt // the newest one; the zero value: it did not fail
}

// certificate is what the files had when they were read.
type certificate struct {
	pair   tls.Certificate
	digest [sha256.Size]byte
}

// attempt is one to read the files that failed.
type attempt struct {
	digest [sha256.Size]byte // of what was read
	why    string
	told   bool
}

// OpenServed reads the certificate, its chain after it where there is one, and
// the key, in PEM. Its error names the file and what is wrong with it.
func OpenServed(certFile, keyFile string, log *slog.Logger) (*Served, error) {
	s := &Served{certFile: certFile, keyFile: keyFile, log: log, every: lookEvery}
	c, err := s.read(time.Now())
	if err != nil {
		return nil, err
	}
	s.current.Store(c)
	return s, nil
}

// Config is that of a server which shows the newest certificate. It speaks
// HTTP/1.1: nothing else carries WebSockets everywhere.
func (s *Served) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		// Small records, in which long answers would begin otherwise, cost a
		// system call each.
		DynamicRecordSizingDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &s.current.Load().pair, nil
		},
	}
}

// Follow reads the files again when they change, until ctx ends: by their
// content, whatever way they were replaced.
func (s *Served) Follow(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.look(now)
		}
	}
}

// look compares the files with what is served. What cannot be used, and is still
// there at the second look, is logged once: somebody may be writing it.
func (s *Served) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.read(now)
	if err == nil {
		if s.failed = (attempt{}); c.digest != s.current.Load().digest {
			s.current.Store(c)
			s.log.Info("the certificate was read again", "file", s.certFile, "expires", expiry(c.pair.Leaf))
		}
		return
	}
	a := attempt{why: err.Error()}
	if c != nil {
		a.digest = c.digest
	}
	if s.failed.digest != a.digest || s.failed.why != a.why {
		s.failed = a
		return
	}
	if !s.failed.told {
		s.failed.told = true
		s.log.Error(s.failed.why + "; the certificate that was read before is served on, until " + expiry(s.current.Load().pair.Leaf))
	}
}

// read reads both files. With an error about what is in them, the certificate
// has its digest alone.
func (s *Served) read(now time.Time) (*certificate, error) {
	cert, err := files.Read(s.certFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", quote.Named("the certificate", s.certFile), quote.Reason(err))
	}
	key, err := files.Read(s.keyFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", quote.Named("the key", s.keyFile), quote.Reason(err))
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(cert))
	h.Write(cert)
	h.Write(key)
	c := &certificate{digest: [sha256.Size]byte(h.Sum(nil))}
	if c.pair, err = tls.X509KeyPair(cert, key); err != nil {
		return c, fmt.Errorf("%s cannot be used with %s: %w", quote.Named("the certificate", s.certFile), quote.Named("the key", s.keyFile), err)
	}
	leaf := c.pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return c, fmt.Errorf("%s expired at %s, and clients refuse it: renew it", quote.Named("the certificate", s.certFile), expiry(leaf))
	case now.Before(leaf.NotBefore):
		return c, fmt.Errorf("%s is valid from %s on: check the clock of this machine", quote.Named("the certificate", s.certFile), stamp(leaf.NotBefore))
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return c, errors.New(quote.Named("the certificate", s.certFile) + " names no host (subjectAltName), and clients refuse it: issue one for the name that they connect to")
	}
	return c, nil
}

// Expires is when the certificate that is served does. Due is when it should
// have been renewed.
func (s *Served) Expires() time.Time { return s.current.Load().pair.Leaf.NotAfter }

// Due is when the certificate should have been renewed at the latest.
func (s *Served) Due() time.Time { return due(s.current.Load().pair.Leaf) }

func due(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-min(dueBefore, leaf.NotAfter.Sub(leaf.NotBefore)/dueFraction))
}

// Troubles are what somebody should look after: a certificate that expires soon,
// and files that replaced it and cannot be used.
func (s *Served) Troubles(now time.Time) (all []string) {
	leaf := s.current.Load().pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		all = append(all, fmt.Sprintf("the certificate for clients expired at %s, and they refuse it: renew it", expiry(leaf)))
	case now.After(due(leaf)):
		all = append(all, fmt.Sprintf("the certificate for clients expires in %s, at %s: renew it", remaining(leaf.NotAfter.Sub(now)), expiry(leaf)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed.told {
		all = append(all, "the certificate for clients was replaced and the one before is served on: "+s.failed.why)
	}
	return all
}

func expiry(leaf *x509.Certificate) string { return stamp(leaf.NotAfter) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// remaining is a time in words, rounded down.
func remaining(d time.Duration) string {
	if days := d / day; days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Truncate(time.Minute).String()
}
