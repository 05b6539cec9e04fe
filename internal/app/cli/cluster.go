package cli

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/trust"
)

// Names of SASL mechanisms.
const (
	saslScram256 = "SCRAM-SHA-256"
	saslScram512 = "SCRAM-SHA-512"
)

// clusterFlags are which Kafka cluster to use, and how to log in.
type clusterFlags struct {
	Kafka             []broker `default:"127.0.0.1:9092" placeholder:"ADDR" help:"Kafka brokers. Default: ${default}."`
	KafkaTLS          bool     `name:"kafka-tls" help:"Use TLS with Kafka."`
	KafkaCA           string   `name:"kafka-ca" placeholder:"FILE" help:"Certificates (PEM) that vouch for Kafka's, in place of the system's; with TLS."`
	KafkaCert         string   `placeholder:"FILE" help:"Certificate (PEM) to show to Kafka; with TLS."`
	KafkaKey          string   `placeholder:"FILE" help:"Key (PEM) of that certificate."`
	KafkaSASL         string   `name:"kafka-sasl" default:"" enum:",PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" placeholder:"MECHANISM" help:"How to log in to Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default: not at all."`
	KafkaUser         string   `placeholder:"NAME" help:"User to log in to Kafka as."`
	KafkaPassword     string   `placeholder:"SECRET" help:"Password of that user; give it as PARLEY_KAFKA_PASSWORD, because others see flags."`
	KafkaPasswordFile string   `placeholder:"FILE" help:"File with that password."`
}

// cluster is the configuration by the flags.
func (f *clusterFlags) cluster() (cfg eventlog.Config, err error) {
	for _, b := range f.Kafka {
		cfg.Brokers = append(cfg.Brokers, string(b))
	}
	files := trust.Files{CA: f.KafkaCA, Cert: f.KafkaCert, Key: f.KafkaKey}
	if f.KafkaTLS || files != (trust.Files{}) {
		if cfg.TLS, err = files.Config(); err != nil {
			return eventlog.Config{}, fmt.Errorf("TLS with Kafka (--kafka-ca, --kafka-cert, --kafka-key): %w", err)
		}
	}
	if cfg.SASL, err = f.login(); err != nil {
		return eventlog.Config{}, fmt.Errorf("the login to Kafka: %w", err)
	}
	return cfg, nil
}

// login is nil without a login.
func (f *clusterFlags) login() (sasl.Mechanism, error) {
	if f.KafkaSASL == "" {
		if f.KafkaUser != "" || f.KafkaPassword != "" || f.KafkaPasswordFile != "" {
			return nil, errors.New("a user or a password is given, but not how to log in: set --kafka-sasl")
		}
		return nil, nil
	}
	password := f.KafkaPassword
	switch {
	case f.KafkaUser == "":
		return nil, errors.New("--kafka-sasl needs --kafka-user")
	case password != "" && f.KafkaPasswordFile != "":
		return nil, errors.New("the password comes from PARLEY_KAFKA_PASSWORD and from --kafka-password-file: keep one")
	case password == "" && f.KafkaPasswordFile == "":
		return nil, errors.New("--kafka-sasl needs a password, in PARLEY_KAFKA_PASSWORD or in --kafka-password-file")
	case password == "":
		var err error
		if password, err = trust.Secret(f.KafkaPasswordFile); err != nil {
			return nil, fmt.Errorf("--kafka-password-file: %w", err)
		}
	}
	switch f.KafkaSASL {
	case saslScram256:
		return scram.Mechanism(scram.SHA256, f.KafkaUser, password)
	case saslScram512:
		return scram.Mechanism(scram.SHA512, f.KafkaUser, password)
	default:
		return plain.Mechanism{Username: f.KafkaUser, Password: password}, nil
	}
}
