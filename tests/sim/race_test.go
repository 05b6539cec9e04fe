//go:build race

package sim

// simDefaultSeeds is fewer with the race detector, which takes ten times as
// long.
const simDefaultSeeds = 300

// plantsAreSought: `make sim` seeks them, which is fast enough without the race
// detector, and finds the same.
const plantsAreSought = false
