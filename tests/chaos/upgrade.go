package chaos

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	// upgradeEvery is the time between two roles that are replaced.
	upgradeEvery = 500 * time.Millisecond
	// sayFirst is for how long clients chat before that.
	sayFirst = 2 * time.Second
)

// upgrade replaces every role by one of Config.Newer, whose newest format is
// newerFormat, takes one of each kind back, and raises the log to it: in vain while
// old roles run, and then after a raise that was killed half-way. Old roles that
// are started later must end by themselves.
func (r *run) upgrade(ctx context.Context) error {
	kafka, err := eventlog.New(eventlog.Config{Brokers: r.sys.kafka, ClientID: "chaos"})
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := pause(ctx, sayFirst); err != nil {
		return err
	}
	for i, p := range r.sys.roles {
		// One of each role is old until the last one is replaced.
		if err := r.refused(ctx, len(r.sys.roles)-i); err != nil {
			return err
		}
		if err := errors.Join(r.replace(p, r.Newer), pause(ctx, upgradeEvery)); err != nil {
			return err
		}
	}
	if err := r.goBack(ctx); err != nil {
		return err
	}
	if err := tearRaise(ctx, kafka); err != nil {
		return err
	}
	if err := pause(ctx, sayFirst); err != nil { // what is new is refused in one channel and taken in another
		return err
	}
	for range 2 { // the second has nothing to do
		if said, err := r.raise(ctx); err != nil {
			return fmt.Errorf("the format cannot be raised although every role knows it: %w: %s", err, said)
		}
	}
	if err := pause(ctx, sayFirst); err != nil {
		return err
	}
	// A new connector subscribes to channels, and a worker and a projector continue
	// from before the raise.
	for _, p := range r.oneOfEach() {
		if err := r.replace(p, r.Newer); err != nil {
			return err
		}
	}
	return errors.Join(awaitPushes(ctx, kafka), pause(ctx, sayFirst), r.oldRolesEnd(ctx))
}

// oneOfEach is the first process of each role.
func (r *run) oneOfEach() (first []*process) {
	for _, kind := range []string{"chatworker", "connector", "projector"} {
		first = append(first, r.sys.named(kind)[0])
	}
	return first
}

// goBack replaces one role of each kind by an old one, which takes over what newer
// ones have written, and then by a newer one again.
func (r *run) goBack(ctx context.Context) error {
	for _, program := range []string{r.Binary, r.Newer} {
		for i, p := range r.oneOfEach() {
			if err := errors.Join(r.replace(p, program), pause(ctx, upgradeEvery)); err != nil {
				return err
			}
			if program == r.Binary {
				if err := r.refused(ctx, i+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// replace stops a role and starts it as one of another program.
func (r *run) replace(p *process, program string) error {
	over := r.rec.fault(p.name, "upgrade")
	err := p.stop(stopPatience)
	p.binary = program
	err = errors.Join(err, p.start(), p.listening(startPatience))
	over()
	r.faults.done["upgrade a "+roleOf(p.name)]++
	return err
}

// awaitPushes waits until workers have pushed in the newer format.
func awaitPushes(ctx context.Context, kafka *eventlog.Client) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		found, err := hasPushes(ctx, kafka)
		if err != nil || found {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("no worker pushes in the newer format: %w", err)
		}
	}
}

func hasPushes(ctx context.Context, kafka *eventlog.Client) (found bool, err error) {
	info, err := kafka.TopicInfo(ctx, schema.TopicPush)
	if err != nil {
		return false, err
	}
	for partition := range info.Partitions {
		first, end, err := kafka.Offsets(ctx, schema.TopicPush, partition)
		if err != nil {
			return false, err
		}
		err = kafka.ReadRange(ctx, schema.TopicPush, partition, first, end, 0, func(rec eventlog.Record) error {
			p := new(schema.Push)
			if err := proto.Unmarshal(rec.Value, p); err != nil {
				return err
			}
			found = found || p.Format == newerFormat
			return nil
		})
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// raise runs the newer program's command.
func (r *run) raise(ctx context.Context) (said string, err error) {
	out, err := exec.CommandContext(ctx, r.Newer, "format", "raise", fmt.Sprint(newerFormat), "--yes", "--kafka", r.sys.kafkaFlag()).CombinedOutput()
	return string(out), err
}

const newerFormat = 2

// refused checks that the format cannot be raised while old roles run.
func (r *run) refused(ctx context.Context, old int) error {
	said, err := r.raise(ctx)
	if err == nil || !strings.Contains(said, "roles run that do not know it") {
		return fmt.Errorf("%d roles are old, and `parley format raise` says %q (%v)", old, said, err)
	}
	return nil
}

// tearRaise leaves behind what a raise leaves that is killed half-way.
func tearRaise(ctx context.Context, kafka *eventlog.Client) error {
	info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return err
	}
	record := &schema.LogFormat{Number: newerFormat}
	for p := range info.Partitions {
		_, end, err := kafka.Offsets(ctx, schema.TopicEvents, p)
		if err != nil {
			return err
		}
		record.From = append(record.From, end)
	}
	if err := put(ctx, kafka, schema.TopicControl, 0, schema.ControlKeyFormat, record); err != nil {
		return err
	}
	for p := range info.Partitions / 2 {
		e := &schema.Event{Time: time.Now().UnixMilli(), Kind: &schema.Event_Format{Format: &schema.Format{Number: newerFormat}}}
		if err := put(ctx, kafka, schema.TopicEvents, p, "", e); err != nil {
			return err
		}
	}
	return nil
}

func put(ctx context.Context, kafka *eventlog.Client, topic string, partition int, key string, m proto.Message) error {
	value, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	producer := kafka.NewProducer(eventlog.ProducerConfig{Topic: topic})
	defer producer.Close()
	_, err = producer.ProduceSync(ctx, partition, eventlog.Record{Key: []byte(key), Value: value})
	return err
}

// oldRolesEnd starts an old role of each kind: it must end at once, with one
// sentence that explains what to do.
func (r *run) oldRolesEnd(ctx context.Context) error {
	const want = "start a newer parley"
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for _, args := range [][]string{
		{"connector", "--listen", "127.0.0.1:0", "--kafka", r.sys.kafkaFlag(), "--clickhouse", r.sys.dsn},
		{"chatworker", "--kafka", r.sys.kafkaFlag()},
		{"projector", "--kafka", r.sys.kafkaFlag(), "--clickhouse", r.sys.dsn},
	} {
		out, err := exec.CommandContext(ctx, r.Binary, args...).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		last := lines[len(lines)-1]
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(last, "parley: ") || !strings.Contains(last, want) {
			return fmt.Errorf("an old %s ends with %v and says %q, want exit code 1 and a sentence with %q", args[0], err, last, want)
		}
	}
	return nil
}

// pause waits for d; its error is that of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
