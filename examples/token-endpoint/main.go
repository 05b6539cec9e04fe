// Command token-endpoint is an example of the part that Parley leaves to you:
// people log in to your site, and your site issues them tokens for the chat.
// The README beside it says what to replace before real people use it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	listen, key, password, origins, chat, cert, certKey string
	health                                              bool
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` to serve at")
	flag.StringVar(&o.key, "key", "token.key", "`file` with the private key (PEM) that signs tokens: P-256 or Ed25519")
	flag.StringVar(&o.password, "password-file", "", "`file` with the password of the demo users; without it, one is made and printed")
	flag.StringVar(&o.origins, "origins", "", "`origins` of pages elsewhere that may fetch tokens, separated by commas")
	flag.StringVar(&o.chat, "chat", "", "`URL` of a connector: everything but /auth/ is passed on to it, so that no other proxy is needed")
	flag.StringVar(&o.cert, "tls-cert", "", "`file` with a certificate (PEM), to serve HTTPS")
	flag.StringVar(&o.certKey, "tls-key", "", "`file` with its private key (PEM)")
	flag.BoolVar(&o.health, "health", false, "ask the one that runs at -listen whether it serves, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := serve
	if o.health {
		run = healthy
	}
	if err := run(ctx, o); err != nil {
		log.Fatal("token-endpoint: ", err)
	}
}

func serve(ctx context.Context, o options) error {
	handler, err := o.handler()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	log.Printf("token-endpoint: listens at %s", listener.Addr())
	ended := make(chan error, 1)
	go func() {
		if o.cert != "" {
			ended <- server.ServeTLS(listener, o.cert, o.certKey)
		} else {
			ended <- server.Serve(listener)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}

// handler is everything that is served.
func (o options) handler() (http.Handler, error) {
	issuer, err := loadIssuer(o.key)
	if err != nil {
		return nil, err
	}
	password, err := o.demoPassword()
	if err != nil {
		return nil, err
	}
	auth, err := newSite(issuer, password, list(o.origins)).routes()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	if o.chat == "" {
		return mux, nil
	}
	chat, err := url.Parse(o.chat)
	if err != nil || chat.Host == "" {
		return nil, fmt.Errorf("-chat: %q is not of the form http://127.0.0.1:8080", o.chat)
	}
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(chat)
		r.Out.Host = r.In.Host // the connector compares it with the page's origin
		r.SetXForwarded()      // replaces what the client says of its address
	}})
	return mux, nil
}

func (o options) demoPassword() (string, error) {
	if o.password == "" {
		password := rand.Text()
		fmt.Printf("log in as ada, bob or cyd with the password %s\n", password)
		return password, nil
	}
	text, err := os.ReadFile(o.password)
	if err != nil {
		return "", fmt.Errorf("-password-file: %w", err)
	}
	password := strings.TrimSpace(string(text))
	if len(password) < 12 {
		return "", errors.New("-password-file: the password is shorter than 12 bytes: make one with `openssl rand -hex 16`")
	}
	return password, nil
}

// list splits what is separated by commas.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// healthy asks a running one, as a container without a shell needs it.
func healthy(ctx context.Context, o options) error {
	_, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/auth/health", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}
