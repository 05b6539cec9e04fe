//go:build !race

package sim

// defaultSeeds take less than a minute on two cores.
const defaultSeeds = 10_000

const plantsAreSought = true
