package meter

import "sync"

// Figures are one number of each partition, as AddByPartition reads them. The zero
// value is ready for use. Safe for concurrent use.
type Figures struct {
	mu          sync.Mutex
	byPartition map[int]int64
}

// Set is n for a partition from now on; 0 where n is less.
func (f *Figures) Set(partition int, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byPartition == nil {
		f.byPartition = map[int]int64{}
	}
	f.byPartition[partition] = max(0, n)
}

// Forget takes out a partition that was given up.
func (f *Figures) Forget(partition int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byPartition, partition)
}

// All yields the partitions in no order.
func (f *Figures) All(yield func(partition int, n float64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, n := range f.byPartition {
		yield(p, float64(n))
	}
}
