package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// User is the name with which clients log in to the embedded servers.
const User = "parley"

// Files in a server's data folder that hold the password of User. Only the
// owner of the folder can read them.
const (
	ClickHousePasswordFile = "clickhouse.password"
	KafkaPasswordFile      = "kafka.password"
)

// ownerOnly is the mode of files that hold secrets.
const ownerOnly = 0o600

// password reads the password in a file, and creates a random one where the
// file is missing.
func password(name string) (string, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return createPassword(name)
	}
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("the password file %s is empty: delete it, and the next start creates a new one", name)
	}
	// A copy that was restored from a backup may be readable to everybody.
	if err := os.Chmod(name, ownerOnly); err != nil {
		return "", fmt.Errorf("the password file must be readable by its owner only: %w", err)
	}
	return secret, nil
}

func createPassword(name string) (string, error) {
	secret := rand.Text()
	if err := replaceFile(name, secret+"\n"); err != nil {
		return "", fmt.Errorf("the password file cannot be created: %w", err)
	}
	return secret, nil
}

// replaceFile writes a file that only its owner can read. Readers see all of
// the text or what was there before.
func replaceFile(name, text string) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(text)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
