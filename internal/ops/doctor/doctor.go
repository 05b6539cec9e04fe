// Package doctor checks the settings and the state of a system against what the
// guarantees need, and reports what is wrong and how to fix it. It only reads.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Error: a guarantee does not hold, or something does not work.
	Error Severity = "error"
	// Warning: a guarantee will not hold when something else happens, or
	// something is slower than it has to be.
	Warning Severity = "warning"
	// Note: something could not be checked.
	Note Severity = "note"
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Severity Severity `json:"severity"`
	// Subject is the affected part, such as "topic parley.events".
	Subject string `json:"subject"`
	// Text is what is wrong and what that means, Mend the remedy.
	Text string `json:"text"`
	Mend string `json:"mend,omitempty"`
}

func (f Finding) String() string {
	s := fmt.Sprintf("%-7s  %s: %s", f.Severity, f.Subject, f.Text)
	if f.Mend != "" {
		s += "; " + f.Mend
	}
	return s
}

// Config is what to examine.
type Config struct {
	Kafka *eventlog.Client
	// DB is nil where the database does not answer; Away is the reason.
	DB   *clickhouse.DB
	Away error
	// Watch is how long to watch beats and ticks. Default 3 s.
	Watch time.Duration
}

// Report is what was found.
type Report struct {
	Findings []Finding `json:"findings"`
	// Roles that run, as far as they could be seen.
	Roles []roles.Role `json:"roles,omitempty"`
	// Format of the log; nil where it could not be read.
	Format *Format `json:"format,omitempty"`
	// Rules is how many parley.rules holds; nil where it could not be read.
	Rules *int `json:"rules,omitempty"`
	// Checked is what was examined.
	Checked []string `json:"checked"`
}

// Format is which format of the log is in force.
type Format struct {
	InForce int32 `json:"in_force"`
	// Newest is the newest one that this program knows.
	Newest int32 `json:"newest"`
}

func (f Format) String() string {
	if f.InForce < f.Newest {
		return fmt.Sprintf("%d of %d: `parley format raise %d` raises it once every role is new", f.InForce, f.Newest, f.Newest)
	}
	return fmt.Sprint(f.InForce)
}

// Worst is the number of errors and of warnings.
func (r *Report) Worst() (errors, warnings int) {
	for i := range r.Findings {
		switch r.Findings[i].Severity {
		case Error:
			errors++
		case Warning:
			warnings++
		}
	}
	return errors, warnings
}

// examination is one run.
type examination struct {
	cfg    Config
	report *Report

	brokers []int
	topics  map[string][]admin.Partition // that exist
	log     *epoch.Log                   // nil: no usable one
	before  *string                      // see epochBefore; nil: not looked up yet
}

// check is one part of an examination.
type check struct {
	name string
	run  func(*examination, context.Context) error
}

var topicChecks = []check{
	{"topics", (*examination).checkTopics},
	{"replicas", (*examination).checkReplicas},
}

var allChecks = append(topicChecks, []check{
	{"brokers", (*examination).checkBrokers},
	{"disks of Kafka", (*examination).checkDisks},
	{"epoch", (*examination).checkEpoch},
	{"rules", (*examination).checkRules},
	{"ClickHouse", (*examination).checkStore},
	{"roles", (*examination).checkRoles},
	{"this machine", (*examination).checkMachine},
}...)

// Run checks everything. A check that cannot be made is a finding of its own;
// the error is that of ctx.
func Run(ctx context.Context, cfg Config) (Report, error) { return run(ctx, cfg, allChecks) }

// Topics checks the topics alone.
func Topics(ctx context.Context, cfg Config) (Report, error) { return run(ctx, cfg, topicChecks) }

func run(ctx context.Context, cfg Config, checks []check) (Report, error) {
	if cfg.Watch <= 0 {
		cfg.Watch = 3 * time.Second
	}
	report := Report{Findings: []Finding{}}
	x := &examination{cfg: cfg, report: &report, topics: map[string][]admin.Partition{}}
	for _, c := range checks {
		err := c.run(x, ctx)
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		report.Checked = append(report.Checked, c.name)
		if err != nil {
			x.find(Error, c.name, "")("this could not be checked: %v", err)
		}
	}
	return report, nil
}

// find returns what adds a finding.
func (x *examination) find(severity Severity, subject, mend string) func(format string, args ...any) {
	return func(format string, args ...any) {
		x.report.Findings = append(x.report.Findings, Finding{severity, subject, fmt.Sprintf(format, args...), mend})
	}
}

// topicNames are the topics of a log.
func topicNames() []string {
	var names []string
	for _, t := range schema.Topics(1) {
		names = append(names, t.Name)
	}
	return names
}
