package eventlog

import "slices"

// session is the identity of the next batches. What is fleeting has none, as the
// protocol's -1 says.
func (p *Producer) session() (*session, error) {
	if p.cfg.Fleeting {
		return &session{producerID: -1, epoch: -1}, nil
	}
	return p.identity.get(p.ctx)
}

func (p *Producer) acks() int16 {
	if p.cfg.Fleeting {
		return requireLead
	}
	return requireAll
}

// sequence is the number of a partition's next batch.
func (p *Producer) sequence(part *partition) int32 {
	if p.cfg.Fleeting {
		return -1
	}
	return part.nextSeq
}

// giveUp refuses every flight that failed. Where there is one, what it returns has the
// leaders looked up again.
func (s *sender) giveUp() (then func()) {
	err := s.failure()
	if err == nil {
		return func() {}
	}
	for i := range s.flights {
		if f := &s.flights[i]; f.outcome != acked {
			f.outcome = refused
		}
	}
	return func() {
		if layoutIsStale(err) {
			s.p.c.forgetLayout(s.layout)
		}
		wake(s.p.route)
	}
}

// drop drops what waits for the leaders of partitions, and forgets these until there
// is something for them again.
func (p *Producer) drop(err error, parts []*partition) {
	var dropped []*batch
	p.mu.Lock()
	for _, part := range parts {
		for _, b := range part.batches {
			p.queued -= b.size()
			dropped = append(dropped, b)
		}
		part.batches = nil
		delete(p.byID, part.id)
		p.partitions = slices.DeleteFunc(p.partitions, func(o *partition) bool { return o == part })
	}
	p.mu.Unlock()
	p.c.metrics.failed(opProduce, err, false)
	for _, b := range dropped {
		b.finish(0, err)
	}
}
