package connector

import "testing"

// Every state is reached from absent, and leads back to it: no place stays for
// ever once its session has ended.
func TestEveryStateComesAndGoes(t *testing.T) {
	reached := func(begin state, forward bool) map[state]bool {
		seen := map[state]bool{begin: true}
		for grown := true; grown; {
			grown = false
			for _, table := range transitions {
				for from, to := range table {
					if !forward {
						from, to = to, from
					}
					if seen[from] && !seen[to] {
						seen[to], grown = true, true
					}
				}
			}
		}
		return seen
	}
	from, back := reached(absent, true), reached(absent, false)
	for s := range states {
		if !from[s] || !back[s] {
			t.Errorf("%v is reached: %v; it leads back to absent: %v", s, from[s], back[s])
		}
	}
}

// A step that the table does not have ends the incarnation, and changes nothing.
func TestUnknownStepIsABug(t *testing.T) {
	inc := newBenchIncarnation(nil)
	p := &place{session: &session{inc: inc}, state: live}
	p.on(joinPassed)
	select {
	case err := <-inc.broken:
		t.Log(err)
	default:
		t.Error("the incarnation goes on")
	}
	if p.state != live {
		t.Errorf("the state is %v", p.state)
	}
}
