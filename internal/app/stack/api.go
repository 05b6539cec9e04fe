package stack

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/internal/embedded"
)

// keyFile is where a running stack stores the API key of its own, in its data folder.
const keyFile = "api.key"

// openAPI opens the listener of the API, and makes the stack a key of its own for it.
func (s *Stack) openAPI(ctx context.Context, dir string) error {
	listener, err := embedded.Listen(ctx, cmp.Or(s.cfg.APIListen, anyPort), "--api")
	if err != nil {
		return err
	}
	s.onStop("API listener", func(context.Context) error { return ignoreClosed(listener.Close()) })
	a := &s.cfg.Clients.API
	if a.Keys == nil {
		if a.Keys, err = api.OpenKeys("", s.log); err != nil {
			return err
		}
	}
	key, text := api.OwnKey(api.OwnName)
	a.Keys.Add(key)
	a.Listener = listener
	s.addr.API = "http://" + listener.Addr().String()
	if s.cfg.Clients.Certificate != nil && !a.Plaintext {
		s.addr.API = "https://" + listener.Addr().String()
	}
	s.addr.APIKeyFile = filepath.Join(dir, keyFile)
	return writeKey(s.addr.APIKeyFile, text)
}

// writeKey replaces the file as a whole, for its owner alone.
func writeKey(path, text string) error {
	err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("the API key of the stack cannot be written: %w", err)
	}
	return nil
}
