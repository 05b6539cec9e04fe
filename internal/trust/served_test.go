package trust

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
)

const days = 24 * time.Hour

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func opened(t *testing.T, cert, key string) (*Served, *safeBuffer) {
	t.Helper()
	out := new(safeBuffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out)
		}
	})
	s, err := OpenServed(cert, key, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

func shows(t *testing.T, s *Served) string {
	t.Helper()
	c, err := s.Config().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

// What cannot be served is refused at the start with one sentence that names the
// file, and nothing of the key.
func TestServedRefuses(t *testing.T) {
	good, other := certtest.New(t, 90*days), certtest.New(t, 90*days)
	now := time.Now()
	expired := certtest.Make(t, now.Add(-90*days), now.Add(-time.Hour))
	early := certtest.Make(t, now.Add(time.Hour), now.Add(90*days))
	secret := strings.Split(string(good.Key), "\n")[1][:20]
	for name, c := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"a key of another":        {good.Cert, other.Key, "private key does not match public key"},
		"no certificate":          {[]byte("hello"), good.Key, "tls.crt cannot be used"},
		"no key":                  {good.Cert, []byte("hello"), "tls.key"},
		"the two mixed up":        {good.Key, good.Cert, "cannot be used with the key"},
		"half a key":              {good.Cert, good.Key[:len(good.Key)/2], "tls.key"},
		"an expired one":          {expired.Cert, expired.Key, "clients refuse it: renew it"},
		"one that is not yet one": {early.Cert, early.Key, "check the clock"},
		"nothing":                 {nil, nil, "tls.crt cannot be used"},
	} {
		cert, key := certtest.Certificate{Cert: c.cert, Key: c.key}.Write(t, t.TempDir())
		_, err := OpenServed(cert, key, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	cert, key := good.Write(t, t.TempDir())
	for _, files := range [][2]string{{"/nowhere.crt", key}, {cert, "/nowhere.key"}, {filepath.Dir(cert), key}} {
		if _, err := OpenServed(files[0], files[1], slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%v: %v", files, err)
		}
	}
}

// A certificate is replaced by writing its files, by renaming, and by the links
// of a mounted secret; each shows up, and nothing needs to be restarted.
func TestServedFollowsItsFiles(t *testing.T) {
	folder := t.TempDir()
	mounted := func(c certtest.Certificate, version string) {
		t.Helper()
		dir := filepath.Join(folder, version)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c.Write(t, dir)
		if err := os.Symlink(version, filepath.Join(folder, "..next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(folder, "..next"), filepath.Join(folder, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	first := certtest.New(t, 90*days)
	mounted(first, "..1")
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	s, _ := opened(t, cert, key)
	s.every = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { s.Follow(ctx) })
	defer following.Wait()
	defer cancel()
	serves := func(what string, c certtest.Certificate) {
		t.Helper()
		await.That(t, "it is served "+what, func() bool { return shows(t, s) == c.Leaf.SerialNumber.String() })
	}
	serves("at the start", first)
	second := certtest.New(t, 90*days)
	mounted(second, "..2")
	serves("by its links", second)
	third := certtest.New(t, 90*days)
	renewed, renewedKey := third.Write(t, t.TempDir())
	if err := os.Rename(renewed, cert); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(renewedKey, key); err != nil {
		t.Fatal(err)
	}
	serves("by renaming", third)
	fourth := certtest.New(t, 90*days)
	fourth.Write(t, folder)
	serves("by writing", fourth)
}

// A pair that is half written, or gone, leaves the one before in place. Only what
// stays so is logged, once, and is a trouble until it is put right.
func TestServedKeepsThePair(t *testing.T) {
	folder := t.TempDir()
	first, second := certtest.New(t, 90*days), certtest.New(t, 90*days)
	cert, key := first.Write(t, folder)
	s, out := opened(t, cert, key)
	now := time.Now()
	second.Write(t, folder)
	if err := os.WriteFile(key, second.Key[:50], 0o600); err != nil {
		t.Fatal(err)
	}
	s.look(now)
	if said := out.String(); said != "" || len(s.Troubles(now)) > 0 {
		t.Errorf("of a key that is being written it says %s %v", said, s.Troubles(now))
	}
	for range 10 {
		s.look(now)
	}
	if said := out.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "is served on, until "+expiry(first.Leaf)) {
		t.Errorf("of a key that stays damaged it says %s", said)
	}
	if all := s.Troubles(now); len(all) != 1 || !strings.Contains(all[0], "key input") {
		t.Errorf("troubles: %v", all)
	}
	if shows(t, s) != first.Leaf.SerialNumber.String() {
		t.Error("the first one is not served any more")
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s.look(now)
	s.look(now)
	if said := out.String(); strings.Count(said, "\n") != 2 || !strings.Contains(said, "cannot be read") {
		t.Errorf("of a key that is gone it says %s", said)
	}
	second.Write(t, folder)
	s.look(now)
	if shows(t, s) != second.Leaf.SerialNumber.String() || len(s.Troubles(now)) > 0 {
		t.Errorf("the whole pair is not served: %v", s.Troubles(now))
	}
	expired := certtest.Make(t, now.Add(-90*days), now.Add(-time.Hour))
	expired.Write(t, folder)
	s.look(now)
	s.look(now)
	if shows(t, s) != second.Leaf.SerialNumber.String() || len(s.Troubles(now)) != 1 {
		t.Errorf("an expired one replaces it: %v", s.Troubles(now))
	}
}

// What expires soon is a trouble, measured by how long it lasts.
func TestServedSaysWhenItExpires(t *testing.T) {
	for _, c := range []struct {
		lasts, left time.Duration
		want        string
	}{
		{90 * days, 14*days + time.Minute, ""},
		{90 * days, 14*days - time.Minute, "expires in 13 days"},
		{90 * days, 30 * time.Hour, "expires in 30h0m0s"},
		{24 * time.Hour, 5 * time.Hour, ""},
		{24 * time.Hour, 3 * time.Hour, "expires in 3h0m0s"},
		{90 * days, -time.Hour, "expired at"},
	} {
		made := certtest.New(t, c.lasts)
		cert, key := made.Write(t, t.TempDir())
		s, _ := opened(t, cert, key)
		all := s.Troubles(made.Leaf.NotAfter.Add(-c.left))
		if said := strings.Join(all, "; "); c.want == "" && said != "" || !strings.Contains(said, c.want) {
			t.Errorf("of %v with %v left: %q, want %q", c.lasts, c.left, said, c.want)
		}
	}
}
