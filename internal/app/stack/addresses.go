package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/schema/strict"
)

// addressFile is where a running stack stores how it is reached, in its data
// folder.
const addressFile = "addresses.json"

// Addresses is how a running stack is reached.
type Addresses struct {
	// Pid is the process of the stack.
	Pid int `json:"pid"`
	// Chat is the URL of the browser chat.
	Chat string `json:"chat"`
	// Pomelo is the host:port for clients of pomelo; "": there is none.
	Pomelo string `json:"pomelo,omitempty"`
	// API is the URL of the API for backends, and APIKeyFile holds a key for it that may
	// do everything. It is another one after each start.
	API        string `json:"api"`
	APIKeyFile string `json:"api_key_file"`
	// Kafka is the host:port of the broker.
	Kafka string `json:"kafka"`
	// KafkaPasswordFile holds the password with which embedded.User logs in to
	// it, by SASL SCRAM-SHA-256.
	KafkaPasswordFile string `json:"kafka_password_file"`
	// ClickHouse is the DSN of the database with the history. It names the file
	// with the password.
	ClickHouse string `json:"clickhouse"`
	// ClickHouseHTTP is the URL of the same server for SQL by HTTP; "" without
	// HTTP.
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
	if err := strict.Unmarshal(text, &a); err != nil {
		return Addresses{}, fmt.Errorf("addresses of the stack in %s cannot be read: %w", filepath.Join(dataDir, addressFile), err)
	}
	return a, nil
}

// Log is how clients reach the broker and log in to it.
func (a Addresses) Log() (eventlog.Config, error) {
	secret, err := trust.Secret(a.KafkaPasswordFile)
	if err != nil {
		return eventlog.Config{}, fmt.Errorf("the login to Kafka: %w", err)
	}
	login, err := scram.Mechanism(scram.SHA256, embedded.User, secret)
	if err != nil {
		return eventlog.Config{}, fmt.Errorf("the login to Kafka: %w", err)
	}
	return eventlog.Config{Brokers: []string{a.Kafka}, SASL: login}, nil
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
