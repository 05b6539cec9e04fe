package connector

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	simSeed  = flag.Int64("seed", -1, "play this seed of the simulation alone; -v prints what happens")
	simSeeds = flag.Int64("seeds", 10_000, "how many seeds of the simulation to play")
)

// plant is a bug that the simulation puts into the wiring, to be found.
type plant string

const (
	plantNone            plant = ""
	plantEarlyMarker     plant = "a checkpoint is written before its pushes are acknowledged"
	plantNoWatermark     plant = "a connector takes pushes again that it has seen"
	plantNoChain         plant = "a connector does not notice lost pushes"
	plantHandOff         plant = "history ends one offset too early"
	plantCursor          plant = "a joining session misses the first push behind its result"
	plantOneWindow       plant = "a restored worker reads one window instead of two"
	plantWindowShort     plant = "a restored worker reads one offset too few"
	plantUnfenced        plant = "an owner that is none any more writes its state"
	plantLateMark        plant = "the watermark is read after the rows"
	plantProjectorWindow plant = "a restarted projector does not read the window before"
	plantLeak            plant = "history shows private messages to everyone"
	plantNoLeave         plant = "a connection that ends leaves no channel"
)

var plants = []plant{
	plantEarlyMarker, plantNoWatermark, plantNoChain, plantHandOff, plantCursor, plantOneWindow, plantWindowShort,
	plantUnfenced, plantLateMark, plantProjectorWindow, plantLeak, plantNoLeave,
}

// play runs one seed.
func play(t *testing.T, seed int64, planted plant, trace func(string)) (counts map[string]int, err error) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(seed, planted, trace)
		err = w.run()
		counts = w.counts
	})
	return counts, err
}

func TestSim(t *testing.T) {
	if *simSeed >= 0 {
		trace := func(string) {}
		if testing.Verbose() {
			trace = func(s string) { fmt.Println(s) }
		}
		if _, err := play(t, *simSeed, plantNone, trace); err != nil {
			t.Errorf("seed %d: %v", *simSeed, err)
		}
		return
	}
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		const shards = 4
		for shard := range int64(shards) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < *simSeeds; seed += shards {
					counts, err := play(t, seed, plantNone, nil)
					if err != nil {
						t.Fatalf("seed %d: %v\nrepeat it with: go test ./connector -run TestSim -seed %d -v", seed, err, seed)
					}
					mu.Lock()
					for k, n := range counts {
						total[k] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	names := slices.SortedFunc(maps.Keys(total), func(a, b string) int { return cmp.Compare(a, b) })
	for _, k := range names {
		t.Logf("%9d %s", total[k], k)
	}
}

func TestSimFindsPlants(t *testing.T) {
	for _, p := range plants {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for seed := range *simSeeds {
				if _, err := play(t, seed, p, nil); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not found within %d seeds", *simSeeds)
		})
	}
}
