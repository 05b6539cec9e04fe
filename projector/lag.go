package projector

import "time"

// follow records that a partition is followed from the offset after written.
func (in *inserter) follow(partition int, written int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ends[int32(partition)] = written + 1
	if _, known := in.done[int32(partition)]; !known {
		in.done[int32(partition)] = written
	}
}

// reach records where the log of a partition ends.
func (in *inserter) reach(partition int, end int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ends[int32(partition)] = end
}

// abandon records that a partition is no longer followed.
func (in *inserter) abandon(partition int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.ends, int32(partition))
}

// lags reports for each partition that is followed how many events it lags, and
// the age of the oldest of them that was read.
func (in *inserter) lags(tell func(partition int, behind int64, age time.Duration)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := time.Now()
	for partition, end := range in.ends {
		oldest, known := in.oldest[partition] // being written
		if !known {
			oldest, known = in.filling.oldest[partition]
		}
		age := time.Duration(0)
		if known {
			age = max(0, now.Sub(time.UnixMilli(oldest)))
		}
		tell(int(partition), max(0, end-1-in.done[partition]), age)
	}
}
