package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// lookEvery is how often readiness is polled.
	lookEvery = 50 * time.Millisecond
	// readyPatience bounds the time until a role is ready and has its share.
	readyPatience = time.Minute
	// talkFor is for how long clients chat between two parts of the run.
	talkFor = 3 * time.Second
	// partitions of a log unless configured otherwise.
	partitions = 12
)

// deployFlags let a connector go in order: it reports that it is not ready, is
// still there for those who have not noted it, and then closes one by one.
var deployFlags = []string{"--drain-delay", "1s", "--drain", "2s"}

// door is a way into the system: any, or in a planned run one to a connector
// that is ready. It is nil when there is none.
func (s *system) door(rng *rand.Rand) (connector int, door *proxy) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var open []int
	for i := range s.doors {
		if !s.planned || s.doors[i].ready.Load() {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return 0, nil
	}
	i := open[rng.IntN(len(open))]
	return i, s.doors[i]
}

// watch keeps note of which connectors are ready, as a load balancer does,
// until ctx ends.
func (s *system) watch(ctx context.Context) {
	for pause(ctx, lookEvery) == nil {
		for i, p := range s.named("connector") {
			s.mu.RLock()
			door := s.doors[i]
			s.mu.RUnlock()
			door.ready.Store(p.unready(ctx) == nil)
		}
	}
}

var adminClient = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// unready is why the process reports that it is not ready; nil when it is.
func (p *process) unready(ctx context.Context) error {
	said, code, err := p.ask(ctx, "/readyz")
	if err == nil && code != http.StatusOK {
		err = errors.New(strings.Join(said, "; "))
	}
	return err
}

// ask gets the lines of a page at the process's admin address.
func (p *process) ask(ctx context.Context, page string) (lines []string, code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+page, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := adminClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	for scan := bufio.NewScanner(res.Body); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	return lines, res.StatusCode, nil
}

// measures reads one series of the process's metrics; 0 while it has none.
func (p *process) measures(ctx context.Context, series string) float64 {
	lines, _, err := p.ask(ctx, "/metrics")
	if err != nil {
		return 0
	}
	for _, line := range lines {
		if value, found := strings.CutPrefix(line, series+" "); found {
			v, _ := strconv.ParseFloat(value, 64) // 0 where it is not a number
			return v
		}
	}
	return 0
}

// deploy restarts every role, adds one of each, and takes it away again. It
// continues when the role at hand is ready, and not before.
func (r *run) deploy(ctx context.Context) error {
	if err := r.awaitReady(ctx); err != nil {
		return err
	}
	if err := pause(ctx, talkFor); err != nil {
		return err
	}
	for _, p := range r.sys.roles {
		if err := r.restart(ctx, p); err != nil {
			return err
		}
	}
	return r.scale(ctx)
}

// awaitReady waits until every role is ready, and from then on keeps note of
// which connectors are.
func (r *run) awaitReady(ctx context.Context) error {
	r.crowd.Go(func() { r.sys.watch(ctx) })
	for _, p := range r.sys.roles {
		if err := await(ctx, p.name+" is ready", p.unready); err != nil {
			return err
		}
	}
	return nil
}

// restart restarts a role in order, and waits until it is ready again.
func (r *run) restart(ctx context.Context, p *process) error {
	over := r.rec.fault(p.name, "restart")
	if err := errors.Join(r.stopInOrder(p), p.start()); err != nil {
		return err
	}
	if err := await(ctx, p.name+" is ready again", p.unready); err != nil {
		return err
	}
	over()
	r.faults.done["restart a "+roleOf(p.name)]++
	return nil
}

// stopInOrder stops a process, and says how long it took.
func (r *run) stopInOrder(p *process) error {
	began := time.Now()
	err := p.stop(stopPatience)
	r.Logger.Info("stopped", "role", p.name, "took", time.Since(began).Round(time.Millisecond))
	return err
}

// scale adds one of each role and waits until all have a share of the work,
// takes it away and waits until the others have it all again.
func (r *run) scale(ctx context.Context) error {
	var added []*process
	for _, role := range []string{"connector", "chatworker", "projector"} {
		if err := r.sys.add(role); err != nil {
			return err
		}
		all := r.sys.named(role)
		added = append(added, all[len(all)-1])
		for _, p := range all {
			if err := await(ctx, p.name+" has a share of the work", p.works); err != nil {
				return err
			}
		}
		r.faults.done["add a "+role]++
	}
	if err := pause(ctx, talkFor); err != nil {
		return err
	}
	for _, p := range added {
		over := r.rec.fault(p.name, "restart")
		if err := r.stopInOrder(p); err != nil {
			return err
		}
		err := await(ctx, "the others have the work of "+p.name, func(ctx context.Context) error { return r.othersWork(ctx, p) })
		if err != nil {
			return err
		}
		over()
		r.faults.done["take a "+roleOf(p.name)+" away"]++
	}
	return pause(ctx, talkFor)
}

// shares are the series that show how much of the work a role has.
var shares = map[string]string{
	"connector":  "parley_connector_connections",
	"chatworker": `parley_chatworker_partitions{state="serving"}`,
	"projector":  `parley_projector_partitions{state="serving"}`,
}

// works is nil when the process is ready and has something to do.
func (p *process) works(ctx context.Context) error {
	if err := p.unready(ctx); err != nil {
		return err
	}
	if p.measures(ctx, shares[roleOf(p.name)]) == 0 {
		return errors.New("it has nothing to do")
	}
	return nil
}

// othersWork is nil when the others of p's role serve every partition.
func (r *run) othersWork(ctx context.Context, p *process) error {
	role := roleOf(p.name)
	if role == "connector" {
		return nil // clients find another by themselves
	}
	sum := 0.0
	for _, other := range r.sys.named(role) {
		if other != p {
			sum += other.measures(ctx, shares[role])
		}
	}
	if sum != partitions {
		return fmt.Errorf("%v partitions are served", sum)
	}
	return nil
}

// await waits until try returns nil.
func await(ctx context.Context, what string, try func(context.Context) error) error {
	for deadline := time.Now().Add(readyPatience); ; {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s: %w", readyPatience, what, err)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}
