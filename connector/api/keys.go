package api

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/schema"
)

const (
	maxKeysFile = 1 << 20 // bytes
	maxKeys     = 1000
	// commands is who operators' commands are in what they write.
	commands = "cli"
	// OwnName is the name of the key that parley up makes for itself.
	OwnName = "local"
	// keyPrefix makes keys easy to find where they should not be.
	keyPrefix = "parley_"
	keyBytes  = 32 // of randomness
)

// Key is one line of a file of keys: who a backend is, and what it may do.
type Key struct {
	Name string
	sum  [sha256.Size]byte
	may  *grants.Matcher
}

// NewKey makes a key at random. Its text is for the backend, sum for the file of keys.
func NewKey() (text, sum string) {
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // which never fails
	text = keyPrefix + base64.RawURLEncoding.EncodeToString(secret)
	return text, Sum(text)
}

// OwnKey makes a key of the program itself, which may do everything.
func OwnKey(name string) (k Key, text string) {
	text, _ = NewKey()
	everything, _, err := grants.ParseBackend([]byte(`[{"channels": ["*"], "allow": ["api", "moderate", "audit", "admin"]}]`))
	if err != nil {
		panic("api: a grant of its own cannot be used: " + err.Error())
	}
	return Key{Name: name, sum: sha256.Sum256([]byte(text)), may: grants.Compile(name, everything)}, text
}

// Sum is a key's SHA-256, as a file of keys has it.
func Sum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// ParseKeys reads a file of keys: a line each, with its name, the SHA-256 of the key in
// hex, and its grants as JSON. Empty lines and those that begin with # say nothing.
// unknown are actions that are ignored. Its error is one sentence with the line that is
// wrong, and quotes nothing of it.
func ParseKeys(text []byte) (keys []Key, unknown []string, err error) {
	if len(text) > maxKeysFile {
		return nil, nil, fmt.Errorf("the text has more than %d MiB", maxKeysFile>>20)
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, ignored, err := parseKey(line)
		if err == nil {
			err = k.unlike(keys)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		keys, unknown = append(keys, k), append(unknown, ignored...)
	}
	if len(keys) > maxKeys {
		return nil, nil, fmt.Errorf("it has %d keys: it takes %d", len(keys), maxKeys)
	}
	return keys, unknown, nil
}

// unlike refuses a key that is not told apart from another one.
func (k *Key) unlike(others []Key) error {
	for i := range others {
		switch {
		case others[i].Name == k.Name:
			return errors.New("another line has the same name: give each key its own")
		case others[i].sum == k.sum:
			return errors.New("another line has the same key, so that nobody knows which of the two asks: keep one")
		}
	}
	return nil
}

func parseKey(line []byte) (k Key, unknown []string, err error) {
	name, rest, _ := strings.Cut(string(line), " ")
	sum, granted, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if err := CheckName(name); err != nil {
		return k, nil, err
	}
	k.Name = name
	if n, err := hex.Decode(k.sum[:], []byte(sum[:min(len(sum), 2*len(k.sum))])); err != nil || n != len(k.sum) || len(sum) != 2*len(k.sum) {
		return k, nil, errors.New("after the name comes the SHA-256 of the key, 64 hex digits: `parley api-key` prints such a line")
	}
	list, unknown, err := grants.ParseBackend([]byte(granted))
	if err != nil {
		return k, nil, fmt.Errorf(`the grants cannot be used: %w; they have the form [{"channels": ["shop-*"], "allow": ["api", "moderate", "audit", "admin"]}]`, err)
	}
	k.may = grants.Compile(name, list)
	return k, unknown, nil
}

// CheckName reports what is wrong with the name of a key, or of another backend that has
// one. The names of the program itself are nobody else's.
func CheckName(name string) error {
	if err := schema.CheckNewName(name); err != nil {
		return fmt.Errorf("the name of a key %w", err)
	}
	switch {
	case len(name) > schema.MaxKey:
		return fmt.Errorf("the name of a key has at most %d bytes", schema.MaxKey)
	case strings.ContainsAny(name, " #"):
		return errors.New("the name of a key has no blanks and no # in it")
	case name == commands:
		return errors.New("the name cli is that of the commands of parley: choose another")
	case name == OwnName:
		return errors.New("the name local is that of the key that parley up makes for itself: choose another")
	}
	return nil
}

// KeysFile is a file of keys, which is read again on request, and the keys of the program
// itself. Safe for concurrent use.
type KeysFile struct {
	file *files.Kept[[]Key] // nil: there is none
	path string
	log  *slog.Logger

	mu  sync.RWMutex
	own []Key
}

// OpenKeys reads a file of keys; without a path there are none. Its error names the
// file, and what to write into it.
func OpenKeys(path string, log *slog.Logger) (*KeysFile, error) {
	f := &KeysFile{path: path, log: log}
	if path == "" {
		return f, nil
	}
	var err error
	f.file, err = files.Keep(files.Kind[[]Key]{
		Name: "the file of API keys", Holds: "keys", Most: maxKeysFile, Parse: ParseKeys,
	}, path, log)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Add adds a key of the program itself.
func (f *KeysFile) Add(k Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own = append(f.own, k)
}

// Reload reads the file again. One that cannot be used changes nothing, and is logged
// with what is wrong with it.
func (f *KeysFile) Reload() {
	if f.file != nil && f.file.Reload() {
		file, own := f.all()
		f.log.Info("the file of API keys was read again", "file", f.path, "keys", len(file)+len(own))
	}
}

// all are the keys of the file and those of the program itself.
func (f *KeysFile) all() (file, own []Key) {
	if f.file != nil {
		file = *f.file.Current()
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return file, f.own
}

// find is the key whose text that is. How long it takes says nothing of what is in the
// file.
func (f *KeysFile) find(text string) (found Key, ok bool) {
	if f == nil {
		return Key{}, false
	}
	sum := sha256.Sum256([]byte(text))
	file, own := f.all()
	for _, keys := range [][]Key{file, own} {
		for _, k := range keys {
			if subtle.ConstantTimeCompare(sum[:], k.sum[:]) == 1 {
				found, ok = k, true
			}
		}
	}
	return found, ok
}
