package tests

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/embedded/embeddedtest"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema/rpc"
)

var rightsRow = regexp.MustCompile("(?m)^\\| (roles|operators) \\| ([a-z ]+) \\| `([a-z.-]+)` \\| prefix \\| ([A-Za-z, ]+) \\|$")

// rights are the access control lists that docs/managed.md asks for.
func rights(t *testing.T, user string) (all []kfake.ACL) {
	t.Helper()
	kinds := map[string]kmsg.ACLResourceType{
		"topic": kmsg.ACLResourceTypeTopic, "group": kmsg.ACLResourceTypeGroup, "transactional id": kmsg.ACLResourceTypeTransactionalId,
	}
	operations := map[string]kmsg.ACLOperation{
		"Create": kmsg.ACLOperationCreate, "Delete": kmsg.ACLOperationDelete, "Describe": kmsg.ACLOperationDescribe,
		"DescribeConfigs": kmsg.ACLOperationDescribeConfigs, "Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite,
	}
	for _, row := range rightsRow.FindAllStringSubmatch(readFile(t, filepath.Join(root, "docs", "managed.md")), -1) {
		if row[1] != user {
			continue
		}
		for _, name := range strings.Split(row[4], ", ") {
			kind, known := kinds[row[2]]
			operation, known2 := operations[name]
			if !known || !known2 {
				t.Fatalf("%q is no right that Kafka knows", row[0])
			}
			all = append(all, kfake.ACL{
				Resource: kind, Name: row[3], Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: operation, Allow: true,
			})
		}
	}
	if len(all) == 0 {
		t.Fatalf("docs/managed.md lists no rights of %s", user)
	}
	return all
}

// guarded starts a broker that allows its users these rights and nothing else.
func guarded(t *testing.T, users map[string][]kfake.ACL) string {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin")}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		opts = append(opts, kfake.User("PLAIN", user, "secret", users[user]...))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// The rights that docs/managed.md lists are enough to create the log, to chat,
// and to keep history.
func TestListedRightsAreEnough(t *testing.T) {
	onEmbeddedBroker(t)
	t.Parallel()
	addr := guarded(t, map[string][]kfake.ACL{"roles": rights(t, "roles")})
	c := &cluster{t: t, kafka: addr, clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger, as: "roles"}
	c.worker()
	c.projector()
	ada := enter(t, c.connector(nil).addr, "ada")
	ada.join("lobby")
	said, last := says(ada, 0, 10)
	c.projected(last)
	page := enter(t, c.connector(nil).addr, "bob").join("lobby")
	if !slices.Equal(bodies(page.Messages), said) {
		t.Errorf("bob reads %v", bodies(page.Messages))
	}
	var r rpc.MembersResult
	ada.call(rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"}, &r)
}

// Without one of them every role ends, and says what it may not do.
func TestMissingRightsAreSaid(t *testing.T) {
	onEmbeddedBroker(t)
	for _, missing := range []kmsg.ACLOperation{kmsg.ACLOperationCreate, kmsg.ACLOperationRead, kmsg.ACLOperationWrite} {
		t.Run(missing.String(), func(t *testing.T) {
			t.Parallel()
			all := rights(t, "roles")
			few := slices.DeleteFunc(slices.Clone(all), func(a kfake.ACL) bool {
				return a.Resource == kmsg.ACLResourceTypeTopic && a.Operation == missing
			})
			c := &cluster{t: t, clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger}
			c.kafka = guarded(t, map[string][]kfake.ACL{"roles": all, "few": few})
			if missing != kmsg.ACLOperationCreate {
				c.createLog("roles")
			}
			c.as = "few"
			w, err1 := chatworker.New(chatworker.Config{Kafka: c.config("chatworker")})
			p, err2 := projector.New(projector.Config{Kafka: c.config("projector"), ClickHouse: c.clickhouse})
			conn, err3 := connector.New(connector.Config{Kafka: c.config("connector"), ClickHouse: c.clickhouse, Listen: "127.0.0.1:0"})
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			roles := map[string]func(context.Context) error{"chatworker": w.Run, "connector": conn.Run, "projector": p.Run}
			if missing == kmsg.ACLOperationWrite {
				delete(roles, "projector") // it writes nothing to a log that is there
			}
			for name, run := range roles {
				if err := run(soon(t)); err == nil || !strings.Contains(err.Error(), "Authorization Failed") {
					t.Errorf("the %s ends with %v", name, err)
				}
			}
		})
	}
}

// createLog begins a log.
func (c *cluster) createLog(user string) {
	c.t.Helper()
	c.as = user
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	if _, err := epoch.Open(soon(c.t), kafka, epoch.Options{}); err != nil {
		c.t.Fatal(err)
	}
}

// login is how a cluster's roles log in; nil for not at all.
func login(user string) eventlog.Config {
	if user == "" {
		return eventlog.Config{}
	}
	return eventlog.Config{SASL: plain.Mechanism{Username: user, Password: "secret"}}
}
