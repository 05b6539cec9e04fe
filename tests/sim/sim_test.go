package sim

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/connector"
)

// The simulation runs the code that decides what people see (the fold with
// its checkpoints, the rule for void events, the leases, and all of a
// connector but its sockets) on a simulated log, push topic, ClickHouse and
// clock. A scheduler picks by a seed what happens next: what arrives, what is
// repeated, what is late, what fails, who crashes, hangs or wakes up as a
// zombie. All along, and in the end when everything has arrived, what every
// client received is compared with the log (client_test.go, check_test.go), by
// definitions of their own (log_test.go).
//
// Read world_test.go first. A seed plays the same every time, but for the
// order of answers to one session that nothing orders.
var (
	seed  = flag.Int64("seed", -1, "play this seed of the simulation alone; -v prints what happens")
	seeds = flag.Int64("seeds", defaultSeeds, "how many seeds of the simulation to play")
)

// What a connector has of its own, in time and number.
const (
	joinTimeout = 10 * time.Second // for the log to answer a join
	cutGrace    = 5 * time.Second  // for the user of a cut connection to come back
	lingerFor   = 5 * time.Second  // for a join to take a leave back
	lingerAbove = 100              // users in a large channel
	maxLimit    = 300              // messages in an answer
)

// plant is a bug that the simulation puts into the wiring, to be found.
type plant string

const (
	plantNone            plant = ""
	plantEarlyMarker     plant = "a checkpoint is written before its pushes are acknowledged"
	plantRepeats         plant = "a connector takes pushes again that it has seen"
	plantNoChain         plant = "a connector does not notice lost pushes"
	plantHandOff         plant = "history ends one offset too early"
	plantCursor          plant = "a joining session misses the first push after its result"
	plantOneWindow       plant = "a restored worker reads one window instead of two"
	plantWindowShort     plant = "a restored worker reads one offset too few"
	plantUnfenced        plant = "a former owner writes its state"
	plantLateMark        plant = "the watermark is read after the rows"
	plantProjectorWindow plant = "a restarted projector does not read the window before"
	plantLeak            plant = "history shows private messages to everyone"
	plantNoLeave         plant = "a connection that ends leaves no channel"
	plantKeptLeave       plant = "a leave that was kept back until its join was answered is forgotten"
	plantRefusal         plant = "a join that was refused counts as not written"
	plantLapsed          plant = "a connector that was silent for a lease goes on"
	plantKeptRight       plant = "a session keeps a right that it has lost"
	plantReuse           plant = "the sequence numbers of a refused batch are used again"
	plantLostChange      plant = "a change is lost on recovery"
	plantVoidEdit        plant = "a void edit wins"
	plantStale           plant = "a page is as of the watermark"
	plantLatePage        plant = "a late page undoes a deletion"
	plantLeakedChange    plant = "a private change is leaked"
	plantSkippedLink     plant = "a link of the chain of changes is skipped"
	plantPurge           plant = "the range of a purge is off by one"
	plantTwice           plant = "a reaction is counted twice"
	plantBannedSeen      plant = "the join of a banned user is like any other"
	plantStaysIn         plant = "a kick or a ban leaves one of the sessions in"
	plantMuteForgotten   plant = "a join does not bring the mute of its user"
	plantLiftLost        plant = "what is lifted is in force again after a restart"
	plantSanctionLost    plant = "a crash in a flush loses bans and mutes"
	plantPurgeLost       plant = "the purge of a ban is not in history"
	plantUnfrozen        plant = "the settings are not in the snapshot"
	plantSlash           plant = "names with a slash are mixed up"
	plantNoPurge         plant = "the purge of a ban is not told"
	plantUntouched       plant = "a channel counts as untouched after private messages"
)

var plants = []plant{
	plantEarlyMarker, plantRepeats, plantNoChain, plantHandOff, plantCursor, plantOneWindow, plantWindowShort,
	plantUnfenced, plantLateMark, plantProjectorWindow, plantLeak, plantNoLeave, plantKeptLeave,
	plantRefusal, plantReuse, plantLapsed, plantKeptRight,
	plantLostChange, plantVoidEdit, plantStale, plantLatePage, plantLeakedChange, plantSkippedLink, plantPurge, plantTwice,
	plantBannedSeen, plantStaysIn, plantMuteForgotten, plantLiftLost, plantSanctionLost, plantPurgeLost, plantUnfrozen,
	plantSlash, plantNoPurge, plantUntouched,
}

// plantSeeds is within how many seeds each plant must be found.
const plantSeeds = 20_000

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
	if *seed >= 0 {
		playOne(t, *seed)
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	total := playAll(t, *seeds)
	for _, k := range slices.SortedFunc(maps.Keys(total), cmp.Compare) {
		t.Logf("%9d %s", total[k], k)
	}
	if *seeds < 1000 || t.Failed() {
		return
	}
	for _, k := range append(connector.Transitions(), meets...) {
		if total[k] == 0 {
			t.Errorf("no run has met: %s", k)
		}
	}
}

// meets is what runs must meet, else they prove little.
var meets = []string{
	"acknowledged: ban", "acknowledged: kick", "acknowledged: lift", "acknowledged: mute", "acknowledged: purge", "acknowledged: set",
	"joined while muted", "refused with 1005", "refused with 1009: ban", "refused with 1009: frozen", "refused with 1009: mute",
	"refused with 1011", "removed: banned", "removed: kicked", "sanctions heard: ban", "sanctions heard: kick", "sanctions heard: lift",
	"sanctions heard: mute", "sanctions listed", "seen to leave: banned", "seen to leave: kicked",
	"acknowledged: chat", "acknowledged: delete", "acknowledged: edit", "acknowledged: pin", "acknowledged: react",
	"changes heard", "changes recovered", "pins listed", "purges", "raised", "refused in format 1", "reactions heard", "reactions recovered",
	"reactions without effect", "reactors listed", "refused with 1010", "retries told where they stand", "settings heard",
	"views compared", "void changes",
	"watches",
	"checkpoints", "closed with 3001", "closed with 3008", "closed with 3010", "connectors told that they are down",
	"degraded", "downs", "ended as their lease had run out", "history pages", "joins", "leaves", "leaves taken back", "leaves taken back of joins under way", "lost pushes noticed", "member lists", "messages heard",
	"not recovered: too_many", "not recovered: unavailable", "orphans", "reads failed", "recovered",
	"refused although they are in the log", "refused with 1002", "refused with 1003", "refused with 1007", "refused with 1008", "repeated by a producer",
	"restored after two windows", "rights lost", "takeovers in a flush", "void chats", "void joins", "written after they were refused",
}

// playOne plays a seed, and with -v says what happens in it.
func playOne(t *testing.T, seed int64) {
	var trace func(string)
	if testing.Verbose() {
		trace = func(s string) { fmt.Println(s) }
	}
	if _, err := play(t, seed, plantNone, trace); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}

// playAll plays the seeds below n and returns what they met.
func playAll(t *testing.T, n int64) map[string]int {
	const shards = 4
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("seeds", func(t *testing.T) {
		for shard := range int64(shards) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < n; seed += shards {
					counts, err := play(t, seed, plantNone, nil)
					if err != nil {
						t.Fatalf("seed %d: %v\nrepeat it with: go test ./tests/sim -run 'TestSim$' -seed %d -v", seed, err, seed)
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
	return total
}

// Every planted bug is found.
func TestSimFindsPlants(t *testing.T) {
	if !plantsAreSought {
		t.Skip("`make sim` seeks the planted bugs")
	}
	for _, p := range plants {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			for seed := range int64(plantSeeds) {
				if _, err := play(t, seed, p, nil); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not found within %d seeds", plantSeeds)
		})
	}
}
