package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthPatience bounds one question for health: a later answer
// does not count.
const healthPatience = 3 * time.Second

type healthCommand struct {
	Admin address `required:"" placeholder:"ADDR" help:"The --admin address of the process to ask."`
}

// Run asks a running command whether it is ready. It is the health check of
// containers, which have no shell and no curl.
func (c *healthCommand) Run(ctx context.Context, p process) error {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	at := reachable(c.Admin)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("--admin %s cannot be asked: %w", c.Admin, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("nothing answers at %s, the address given by --admin: %w", at, err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return fmt.Errorf("the answer of %s broke off: %w", at, err)
	}
	text := strings.TrimSpace(string(said))
	if res.StatusCode != http.StatusOK {
		reasons := strings.Split(strings.TrimPrefix(text, "not ready\n"), "\n")
		return fmt.Errorf("%s is not ready: %s", at, strings.Join(reasons, "; "))
	}
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}

// reachable is where to connect to for an address that was listened at: one
// without a host, or with a wildcard, is reached by loopback.
func reachable(a address) string {
	host, port, err := net.SplitHostPort(string(a))
	if err != nil {
		return string(a)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
