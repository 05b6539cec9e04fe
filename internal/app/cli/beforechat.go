package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/connector/screen"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/internal/webhook"
)

// beforeChatFlags are who is asked before a text is published.
type beforeChatFlags struct {
	BeforeChat           string        `placeholder:"URL" help:"Program that is asked by HTTP whether a text of a client may be published, in the channels under hooks in the file of --grants, or in all. Default: none."`
	BeforeChatSecretFile string        `placeholder:"FILE" help:"File of the secret that signs what it is asked, whsec_…, by Standard Webhooks; two lines while it is replaced. Required beyond this machine."`
	BeforeChatCA         string        `name:"before-chat-ca" placeholder:"FILE" help:"Certificates (PEM) that vouch for its own, in place of the system's."`
	BeforeChatTimeout    time.Duration `default:"300ms" placeholder:"TIME" help:"How long it may take to answer. Default: ${default}."`
	BeforeChatFails      string        `default:"closed" enum:"open,closed" placeholder:"HOW" help:"What happens to a text that it does not answer about: open publishes it, closed refuses it for now. Default: ${default}."`
}

// Validate implements kong's check of values.
func (f *beforeChatFlags) Validate() error {
	if f.BeforeChatTimeout <= 0 || f.BeforeChatTimeout > 10*time.Second {
		return fmt.Errorf("--before-chat-timeout is %v: it takes a time above 0, up to 10s", f.BeforeChatTimeout)
	}
	if f.BeforeChat == "" && (f.BeforeChatSecretFile != "" || f.BeforeChatCA != "") {
		return errors.New("--before-chat-secret-file and --before-chat-ca are for a program that is asked: name its URL with --before-chat")
	}
	return nil
}

// screen is what these flags say; nil where nobody is asked.
func (f *beforeChatFlags) screen(log *slog.Logger) (*screen.Screen, error) {
	if f.BeforeChat == "" {
		return nil, nil
	}
	to := webhook.Receiver{URL: f.BeforeChat, Timeout: f.BeforeChatTimeout, Agent: "parley/" + roles.Version()}
	var err error
	if f.BeforeChatSecretFile != "" {
		if to.Secrets, err = webhook.ReadSecrets(f.BeforeChatSecretFile); err != nil {
			return nil, fmt.Errorf("--before-chat-secret-file: %w", err)
		}
	}
	if to.TLS, err = (trust.Files{CA: f.BeforeChatCA}).Config(); err != nil {
		return nil, fmt.Errorf("--before-chat-ca: %w", err)
	}
	asked, err := screen.New(screen.Config{Receiver: to, FailOpen: f.BeforeChatFails == "open", Log: log})
	if err != nil {
		return nil, fmt.Errorf("--before-chat: %w", err)
	}
	return asked, nil
}
