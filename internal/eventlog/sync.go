package eventlog

import "context"

// ProduceSync is Produce, and then waits for the record's offset or the end of
// ctx, which leaves the record's outcome open.
func (p *Producer) ProduceSync(ctx context.Context, partition int, rec Record) (int64, error) {
	type result struct {
		offset int64
		err    error
	}
	done := make(chan result, 1)
	if err := p.Produce(partition, rec, func(offset int64, err error) { done <- result{offset, err} }); err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		return r.offset, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
