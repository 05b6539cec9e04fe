package memory

import "testing"

const mib = 1 << 20

// A busy process that holds little collects after as much as one that holds more, and
// one that holds much whenever its heap has doubled.
func TestBusyProcessesCollectSeldom(t *testing.T) {
	for _, c := range []struct {
		bound int64
		live  uint64
		want  int
	}{
		{0, 20 * mib, 320},
		{0, 64 * mib, goPercent},
		{0, 1000 * mib, goPercent},
		{0, 4 * mib, 1600},
		{0, 1 * mib, 1600}, // with more it is not 64 MiB from which Go collects
		{0, 0, 1600},
		{160 * mib, 5 * mib, 200},
		{160 * mib, 10 * mib, goPercent},
		{16 << 30, 20 * mib, 320},
	} {
		p := newPacing(c.bound)
		if p.next(c.live, busyAt) || p.percent != c.want {
			t.Errorf("with %d bytes of %d: %d %%, want %d", c.live, c.bound, p.percent, c.want)
		}
	}
}

// The pace is changed where that is worth it: each change stops the process for a moment.
func TestPaceStaysForSmallChanges(t *testing.T) {
	p := newPacing(0)
	p.next(20*mib, busyAt)
	p.next(21*mib, 2*busyAt)
	if p.percent != 320 {
		t.Errorf("%d %% after a small change", p.percent)
	}
	p.next(40*mib, 3*busyAt)
	if p.percent != 160 {
		t.Errorf("%d %% after a large one", p.percent)
	}
}

// What comes to rest collects once, and holds no garbage then; a pause is not a rest.
//
//parley:bound garbage of a process
func TestRestCollectsOnce(t *testing.T) {
	p, allocated := newPacing(0), uint64(0)
	second := func(bytes uint64) bool {
		allocated += bytes
		return p.next(20*mib, allocated)
	}
	for range 2 * calmFor {
		if second(busyAt - 1) {
			t.Fatal("a process that was never busy collects")
		}
	}
	for range 2 {
		second(busyAt)
		for range calmFor - 1 {
			if second(0) || p.percent != 320 {
				t.Fatalf("a pause is taken for rest: %d %%", p.percent)
			}
		}
		second(busyAt)
		collections := 0
		for range 3 * calmFor {
			if second(busyAt - 1) {
				collections++
			}
		}
		if collections != 1 || p.percent != goPercent {
			t.Fatalf("%d collections at rest, %d %%", collections, p.percent)
		}
	}
}

// Who holds much and is busy for a second now and then does not go through all of it
// whenever that second is over.
func TestShortWorkIsNotWorthACollection(t *testing.T) {
	p, allocated, collections := newPacing(0), uint64(0), 0
	for range 100 {
		allocated += busyAt
		p.next(1024*mib, allocated)
		for range 2 * calmFor {
			if p.next(1024*mib, allocated) {
				collections++
			}
		}
	}
	if collections != 1 {
		t.Errorf("%d collections for 400 MiB, of 1 GiB each", collections)
	}
}
