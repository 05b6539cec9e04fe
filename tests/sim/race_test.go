//go:build race

package sim

// defaultSeeds is fewer with the race detector, which takes ten times as
// long.
const defaultSeeds = 300

// Planted bugs are left to `make sim`, which is fast without the race detector and
// finds the same.
const plantsAreSought = false
