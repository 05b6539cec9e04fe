package tests

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/hooks"
	"github.com/parley-chat/parley/internal/ingest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// Hooks and ingest do with users of their own, who have the rights that
// docs/managed.md lists for them. Without any one of these they end, and say so.
func TestRightsOfBackendRoles(t *testing.T) {
	t.Parallel()
	users, named := map[string][]kfake.ACL{"roles": rights(t, "roles")}, []string(nil)
	for _, role := range []string{"hooks", "ingest"} {
		all := rights(t, role)
		users[role] = all
		named = append(named, role)
		for i := range all {
			user := fmt.Sprintf("%s-without-%d", role, i)
			users[user] = slices.Delete(slices.Clone(all), i, i+1)
			named = append(named, user)
		}
	}
	c := &cluster{t: t, kafka: guarded(t, users), clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger, as: "roles"}
	c.worker()
	c.projector()
	ada := enter(t, c.connector(nil).addr, "ada")
	ada.join("lobby")
	ada.chat("lobby", "hello")
	c.command(`no command`)
	c.command(`{"method": "publish", "params": {"channel": "lobby", "user": "shop", "body": "hello"}}`)
	for _, user := range named {
		t.Run(user, func(t *testing.T) {
			role, missing, lacks := strings.Cut(user, "-without-")
			ended, works := c.backendRole(t, role, user)
			select {
			case <-works:
				if lacks {
					t.Errorf("it needs no %+v", users[role][atoi(t, missing)])
				}
			case err := <-ended:
				if !lacks || err == nil || !strings.Contains(err.Error(), "uthorization") {
					t.Errorf("it ends with %v", err)
				}
			case <-soon(t).Done():
				t.Errorf("it neither works nor ends: %s", missing)
			}
		})
	}
}

func atoi(t *testing.T, text string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// command writes one for ingest.
func (c *cluster) command(value string) {
	c.t.Helper()
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	commands := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicCommands})
	defer commands.Close()
	if _, err := commands.ProduceSync(soon(c.t), 0, eventlog.Record{Value: []byte(value)}); err != nil {
		c.t.Fatal(err)
	}
}

// backendRole runs hooks or ingest as a user, whose place in the log it has for
// itself, and tells when it has sent an event, or carried out both commands.
func (c *cluster) backendRole(t *testing.T, role, user string) (ended <-chan error, works <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	as := *c
	as.as = user
	done, does := make(chan error, 1), make(chan struct{}, 1)
	var run func(context.Context) error
	var running sync.WaitGroup
	if role == "hooks" {
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			select {
			case does <- struct{}{}:
			default:
			}
		}))
		t.Cleanup(receiver.Close)
		from, err := hooks.ParseFrom("beginning")
		h, err2 := hooks.New(hooks.Config{Base: as.base(role), Name: strings.TrimPrefix(user, "hooks-"), Receiver: webhook.Receiver{URL: receiver.URL}, From: from})
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		run = h.Run
	} else {
		group := "parley-" + user
		i, err := ingest.New(ingest.Config{Base: as.base(role), ClickHouse: c.clickhouse, Group: group})
		if err != nil {
			t.Fatal(err)
		}
		run = i.Run
		kafka := c.client()
		running.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				if at, err := admin.Committed(ctx, kafka, group, schema.TopicCommands, 1); err == nil && at[0] == 2 {
					does <- struct{}{}
					return
				}
			}
		})
	}
	running.Go(func() { done <- run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return done, does
}
