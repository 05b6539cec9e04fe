package kraft

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// retryEvery is how often a node that starts is asked whether it is up.
const retryEvery = 20 * time.Millisecond

// Config is what cluster to start.
type Config struct {
	// Nodes is how many; 0 means one. With three or more, everything is kept
	// three times, and a write waits for two.
	Nodes int
	// Dir holds the nodes' data and logs, a folder for each.
	Dir string
	// Settings are more server properties, as "name=value". They win over those
	// of server.properties and of this package.
	Settings []string
	// Protocol is the security protocol of one more listener, such as SASL_SSL;
	// "" for none. Settings then hold the rest, such as its certificate.
	Protocol string
	// Users are created before the first start, in the notation of Kafka:
	// SCRAM-SHA-512=[name=ada,password=secret].
	Users []string
	// Java are the flags of each node's Java machine; "" for those of node.sh.
	Java string
}

// Cluster is a running cluster. Its methods are safe for concurrent use, those
// of one node are not.
type Cluster struct {
	Nodes []*Node
}

// Start starts a cluster and returns when every node is in it. The context
// bounds the start only; Kill or Stop ends the cluster.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		if err := n.launch(); err != nil {
			c.Kill()
			return nil, err
		}
	}
	for _, n := range c.Nodes {
		if err := c.awaitNode(ctx, n); err != nil {
			c.Kill()
			return nil, err
		}
	}
	return c, nil
}

// New gives the nodes of a cluster their ports and settings, for those who
// start processes themselves; see [Node.Command].
func New(cfg Config) (*Cluster, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	path, err := find()
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	for i := range max(cfg.Nodes, 1) {
		n := &Node{
			ID: i + 1, script: path, dir: filepath.Join(cfg.Dir, fmt.Sprint("kafka-", i+1)),
			env: append(os.Environ(), "KAFKA_SCRAM="+strings.Join(cfg.Users, "\n")),
		}
		if cfg.Java != "" {
			n.env = append(n.env, "KAFKA_JVM="+cfg.Java)
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c, c.place(cfg)
}

// place gives the nodes their ports and settings.
func (c *Cluster) place(cfg Config) error {
	var voters []string
	for _, n := range c.Nodes {
		for _, port := range []*int{&n.port, &n.controller, &n.secure} {
			var err error
			if *port, err = freeport.Take(); err != nil {
				return err
			}
		}
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", n.ID, n.controller))
	}
	copies, least := min(len(c.Nodes), 3), 1
	if copies == 3 {
		least = 2
	}
	for _, n := range c.Nodes {
		listeners := fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", n.port)
		if cfg.Protocol != "" {
			listeners += fmt.Sprintf(",%s://127.0.0.1:%d", cfg.Protocol, n.secure)
		} else {
			n.secure = 0
		}
		n.settings = []string{
			fmt.Sprint("node.id=", n.ID),
			"controller.quorum.voters=" + strings.Join(voters, ","),
			fmt.Sprintf("listeners=%s,CONTROLLER://127.0.0.1:%d", listeners, n.controller),
			"advertised.listeners=" + listeners,
			fmt.Sprint("default.replication.factor=", copies),
			fmt.Sprint("offsets.topic.replication.factor=", copies),
			fmt.Sprint("transaction.state.log.replication.factor=", copies),
			fmt.Sprint("share.coordinator.state.topic.replication.factor=", copies),
			fmt.Sprint("min.insync.replicas=", least),
			fmt.Sprint("transaction.state.log.min.isr=", least),
			fmt.Sprint("share.coordinator.state.topic.min.isr=", least),
			"log.cleaner.dedupe.buffer.size=4194304",
		}
		n.settings = append(n.settings, cfg.Settings...)
	}
	return nil
}

// Brokers are the addresses without encryption or authentication.
func (c *Cluster) Brokers() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// Secure are the addresses of the listeners that Config.Protocol asked for.
func (c *Cluster) Secure() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = addrOf(n.secure)
	}
	return addrs
}

// Restart starts a node that was stopped or killed, on its data and at its
// address, and returns when it is in the cluster again.
func (c *Cluster) Restart(ctx context.Context, n *Node) error {
	if err := n.launch(); err != nil {
		return err
	}
	return c.awaitNode(ctx, n)
}

// awaitNode waits until a node knows itself as a member of its cluster.
func (c *Cluster) awaitNode(ctx context.Context, n *Node) error {
	err := await(ctx, n.Addr(), n.process.Done(), func(known []kafka.Broker) bool {
		return slices.ContainsFunc(known, func(b kafka.Broker) bool { return b.ID == n.ID })
	})
	switch {
	case errors.Is(err, errEnded):
		return n.earlyEnd()
	case err != nil:
		return fmt.Errorf("node %d is not in the cluster yet (see %s): %w", n.ID, n.Log(), err)
	}
	return nil
}

var errEnded = errors.New("the process has ended")

// await asks a node which brokers it knows until these are enough, or ended is closed.
func await(ctx context.Context, addr string, ended <-chan struct{}, enough func([]kafka.Broker) bool) error {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(addr), Timeout: 5 * time.Second, Transport: transport}
	for {
		res, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err == nil && enough(res.Brokers) {
			return nil
		}
		transport.CloseIdleConnections()
		select {
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retryEvery):
		}
	}
}

// AwaitBrokers waits until every one of the brokers knows of all of them: before that
// no topic can have a replica on each. It is for those who start the processes.
func AwaitBrokers(ctx context.Context, brokers []string) error {
	for _, addr := range brokers {
		err := await(ctx, addr, nil, func(known []kafka.Broker) bool { return len(known) == len(brokers) })
		if err != nil {
			return fmt.Errorf("not all brokers are in the cluster yet: %w", err)
		}
	}
	return nil
}

// Kill ends all nodes at once.
func (c *Cluster) Kill() {
	for _, n := range c.Nodes {
		n.Kill()
	}
}

// Stop ends all nodes in order, one after the other, and kills what has not
// ended when ctx does.
func (c *Cluster) Stop(ctx context.Context) error {
	var err error
	for _, n := range c.Nodes {
		err = errors.Join(err, n.Stop(ctx))
	}
	return err
}

func addrOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
