package embedded

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// retainEvery is how often the broker deletes what a topic no longer keeps. By
// itself it checks once an hour, in which a partition grows to many times of
// what it is to keep.
const retainEvery = time.Minute

// retention has a broker delete what its topics no longer keep.
type retention struct {
	end  chan struct{}
	work sync.WaitGroup
}

func retain(c *kfake.Cluster, every time.Duration) *retention {
	r := &retention{end: make(chan struct{})}
	r.work.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				c.ApplyRetention()
			case <-r.end:
				return
			}
		}
	})
	return r
}

// stop ends it, before the broker, which would leave it waiting.
func (r *retention) stop() {
	close(r.end)
	r.work.Wait()
}
