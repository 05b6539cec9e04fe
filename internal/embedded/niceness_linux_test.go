package embedded

import (
	"runtime"
	"testing"
)

// Who yields is nicer than it was, whatever it was.
func TestYieldIsRelative(t *testing.T) {
	steps := make(chan int)
	go func() {
		defer close(steps)
		runtime.LockOSThread() // for good, so that the thread ends with this goroutine
		for range 3 {
			nice, err := niceness()
			if err != nil {
				t.Error(err)
				return
			}
			steps <- nice
			yield()
		}
	}()
	want := <-steps
	for nice := range steps {
		if want = min(want+yieldBy, 19); nice != want {
			t.Errorf("the thread has the nice value %d, want %d", nice, want)
		}
	}
}
