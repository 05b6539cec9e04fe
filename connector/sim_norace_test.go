//go:build !race

package connector

// simDefaultSeeds take less than a minute on two cores.
const simDefaultSeeds = 10_000
