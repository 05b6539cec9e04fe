package eventlog

import (
	"time"

	"github.com/segmentio/kafka-go"
)

// run is the producer's own goroutine. It finds leaders and starts a sender for
// each, until the producer ends; then it waits for the senders and calls what
// callbacks are left.
func (p *Producer) run() {
	defer close(p.done)
	var renew <-chan time.Time
	if p.cfg.TransactionalID != "" {
		ticker := time.NewTicker(renewAfter)
		defer ticker.Stop()
		renew = ticker.C
	}
	wait := newBackoff()
	for p.ctx.Err() == nil {
		if p.lacksLeaders() {
			if p.findLeaders() {
				wait.Reset()
			} else if sleep(p.ctx, wait.NextBackOff()) != nil {
				break
			}
			continue
		}
		select {
		case <-p.route:
		case <-renew:
			p.renewIdentity()
		case <-p.ctx.Done():
		}
	}
	p.senderWork.Wait()
	p.dropAll()
}

// lacksLeaders reports whether any partition lacks a leader.
func (p *Producer) lacksLeaders() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.partitions {
		if part.leader == noLeader {
			return true
		}
	}
	return false
}

// findLeaders gives partitions without a leader to the sender of their leader,
// as far as the cluster names one, and reports whether every one has one now.
func (p *Producer) findLeaders() bool {
	layout := p.c.layout.Load()
	leaders, err := p.leaders()
	lost := p.assign(leaders)
	if len(lost) > 0 { // the cluster may have changed since its layout was fetched
		p.c.forgetLayout(layout)
		leaders, err = p.leaders()
		lost = p.assign(leaders)
	}
	if len(lost) == 0 {
		return true
	}
	if err == nil {
		err = kafka.LeaderNotAvailable
	}
	if p.cfg.Fleeting {
		p.drop(err, lost)
		return true
	}
	p.failed(err, lost...)
	return false
}

// assign hands partitions to the senders of their leaders and returns those
// that have none.
func (p *Producer) assign(leaders map[int]int32) (lost []*partition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.partitions {
		if part.leader != noLeader {
			continue
		}
		leader, ok := leaders[part.id]
		if !ok {
			lost = append(lost, part)
			continue
		}
		part.leader = leader
		wake(p.senderFor(leader).wake)
	}
	return lost
}

// leaders asks which broker leads which partition.
func (p *Producer) leaders() (map[int]int32, error) {
	res, err := p.c.kafka.Metadata(p.ctx, &kafka.MetadataRequest{Topics: []string{p.cfg.Topic}})
	if err != nil {
		return nil, err
	}
	leaders := make(map[int]int32)
	for _, topic := range res.Topics {
		if topic.Error != nil {
			return nil, topic.Error
		}
		for _, part := range topic.Partitions {
			if part.Leader.Host != "" { // else it has none at the moment
				leaders[part.ID] = int32(part.Leader.ID)
			}
		}
	}
	return leaders, nil
}

// senderFor finds or starts the sender of a leader. The caller holds the mutex.
func (p *Producer) senderFor(leader int32) *sender {
	s := p.senders[leader]
	if s == nil {
		s = &sender{p: p, leader: leader, own: &link{c: p.c}, wake: make(chan struct{}, 1)}
		p.senders[leader] = s
		p.senderWork.Go(s.run)
	}
	return s
}

// renewIdentity takes a new epoch of the transactional id before the brokers
// forget it.
func (p *Producer) renewIdentity() {
	current, err := p.identity.get(p.ctx)
	if err == nil {
		current.lost.Store(true)
		_, err = p.identity.get(p.ctx)
	}
	if err != nil && p.ctx.Err() == nil {
		p.end(err)
	}
}

// dropAll calls the callbacks of what never got an answer.
func (p *Producer) dropAll() {
	p.mu.Lock()
	var dropped []*batch
	for _, part := range p.partitions {
		dropped = append(dropped, part.batches...)
		part.batches = nil
	}
	p.queued = 0
	err := p.ended
	if p.troubled > 0 {
		p.c.metrics.away.Add(-1)
		p.c.cfg.Outage.Forget(p)
	}
	p.mu.Unlock()
	for _, b := range dropped {
		b.unsure = true // a request may still be reading it
		b.finish(0, err)
	}
}

// failed notes one more failure of each partition's first batch.
func (p *Producer) failed(err error, parts ...*partition) {
	p.mu.Lock()
	wasWell := p.troubled == 0
	now := time.Now()
	for _, part := range parts {
		part.failures++
		if part.failures == loggedFailure {
			p.troubled++
		}
		part.retryAt = now.Add(retryDelay(part.failures))
	}
	isWell := p.troubled == 0
	p.mu.Unlock()
	p.c.metrics.failed(opProduce, err, true)
	if wasWell && !isWell {
		p.c.metrics.away.Add(1)
	}
	if !isWell {
		p.c.cfg.Outage.Note(p.ctx, p, "writing to "+p.cfg.Topic, err)
	}
	if p.cfg.OnError != nil {
		p.cfg.OnError(err)
	}
}
