//go:build !race

package sim

// simDefaultSeeds take less than a minute on two cores.
const simDefaultSeeds = 10_000
