//go:build race

package sim

// simDefaultSeeds is fewer with the race detector, which takes ten times as
// long.
const simDefaultSeeds = 300
