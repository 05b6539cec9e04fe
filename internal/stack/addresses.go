package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// addressFile is where a running stack says how it is reached, in its data
// folder.
const addressFile = "addresses.json"

// Addresses is how a running stack is reached.
type Addresses struct {
	// Pid is the process of the stack.
	Pid int `json:"pid"`
	// Chat is the URL of the browser chat.
	Chat string `json:"chat"`
	// Kafka is the host:port of the broker.
	Kafka string `json:"kafka"`
	// ClickHouse is the DSN of the database with the history. It names the file
	// with the password.
	ClickHouse string `json:"clickhouse"`
	// ClickHouseHTTP is the URL of the same server for SQL by HTTP; "" when there
	// is none.
	ClickHouseHTTP string `json:"clickhouse_http,omitempty"`
}

// ReadAddresses returns the addresses of the stack that runs on the data
// folder.
func ReadAddresses(dataDir string) (Addresses, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, addressFile))
	if errors.Is(err, os.ErrNotExist) {
		return Addresses{}, fmt.Errorf("no parley runs on data folder %s: start one with `parley up --data %s`", dataDir, dataDir)
	}
	if err != nil {
		return Addresses{}, fmt.Errorf("addresses of the stack cannot be read: %w", err)
	}
	var a Addresses
	if err := json.Unmarshal(text, &a); err != nil {
		return Addresses{}, fmt.Errorf("addresses of the stack in %s cannot be read: %w", filepath.Join(dataDir, addressFile), err)
	}
	return a, nil
}

// write replaces the file as a whole: a reader sees all of it or none.
func (a Addresses) write(dataDir string) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("addresses of the stack cannot be written: %w", err)
	}
	name := filepath.Join(dataDir, addressFile)
	if err := os.WriteFile(name+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("addresses of the stack cannot be written: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("addresses of the stack cannot be written: %w", err)
	}
	return nil
}

func removeAddresses(dataDir string) error {
	err := os.Remove(filepath.Join(dataDir, addressFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
