package eventlog

import "context"

// rangeFetchBytes is how much a range read fetches at once.
const rangeFetchBytes = 4 << 20

// ReadRange calls fn with every record of the partition in [from, to), in
// order, and returns fn's error if it has one. Records beyond the partition's
// end are waited for until ctx ends. Once keys, values and headers together
// exceed maxBytes it returns ErrBudget; 0 means no budget. The other errors are
// those of [Reader.Next].
func (c *Client) ReadRange(ctx context.Context, topic string, partition int, from, to int64, maxBytes int,
	fn func(Record) error) error {
	return c.readRange(ctx, ReaderConfig{Topic: topic, Partition: partition, Offset: from}, to, maxBytes, fn)
}

// ReadCommittedRange is ReadRange without what belongs to transactions that were
// aborted; those that are open below to are waited for.
func (c *Client) ReadCommittedRange(ctx context.Context, topic string, partition int, from, to int64, maxBytes int,
	fn func(Record) error) error {
	return c.readRange(ctx, ReaderConfig{Topic: topic, Partition: partition, Offset: from, Committed: true}, to, maxBytes, fn)
}

func (c *Client) readRange(ctx context.Context, cfg ReaderConfig, to int64, maxBytes int, fn func(Record) error) error {
	cfg.MaxBytes = rangeFetchBytes
	r := c.NewReader(cfg)
	defer r.Close()
	spent := 0
	for next := cfg.Offset; next < to; {
		batch, err := r.Next(ctx)
		if err != nil {
			return err
		}
		for i := range batch.Records {
			rec := &batch.Records[i]
			if rec.Offset >= to {
				return nil
			}
			if spent += rec.size(); maxBytes > 0 && spent > maxBytes {
				return ErrBudget
			}
			if err := fn(*rec); err != nil {
				return err
			}
		}
		next = batch.NextOffset
	}
	return nil
}
