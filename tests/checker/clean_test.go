package checker

import (
	"bytes"
	"encoding/json"
	"testing"
)

func checked(t *testing.T, in Input) *Report {
	t.Helper()
	report, err := Check(in)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A system that keeps its promises raises no alarm.
func TestCleanRecordings(t *testing.T) {
	var all Figures
	for seed := range uint64(100) {
		report := checked(t, newModel(seed).run(500))
		for _, v := range report.Violations[:min(5, len(report.Violations))] {
			t.Errorf("seed %d: %v", seed, v)
		}
		f := report.Figures
		all.Recovered += f.Recovered
		all.Deliveries += f.Deliveries
		all.Void += f.Void
		all.Downs += f.Downs
		all.HistoryPages += f.HistoryPages
		all.Changes += f.Changes
		all.Reactions += f.Reactions
		all.Changed += f.Changed
		all.ChangesInPages += f.ChangesInPages
		all.Sanctions += f.Sanctions
		all.Removed += f.Removed
	}
	if all.Sanctions < 1000 || all.Removed < 50 || all.Changes < 1000 || all.Reactions < 1000 || all.Changed < 1000 || all.ChangesInPages < 100 || all.Recovered < 100 || all.Deliveries < 9000 || all.Void < 100 || all.Downs < 100 || all.HistoryPages < 100 {
		t.Errorf("the recordings are too poor to prove anything: %+v", all)
	}
}

// Workers of an earlier version may leave out what they do not know, and nothing else.
func TestOlderWorkers(t *testing.T) {
	in := newModel(1).run(500)
	if !(&garden{Input: &in}).forgetUntouched() {
		t.Fatal("nothing is untouched")
	}
	in.Older = true
	for _, v := range checked(t, in).Violations {
		t.Error(v)
	}
	for _, records := range in.Pushes {
		for _, r := range records {
			if s := r.Push.Updates[0].GetSnapshot(); s != nil {
				s.Untouched = true
			}
		}
	}
	if len(checked(t, in).Violations) == 0 {
		t.Error("channels may be called untouched that are not")
	}
}

func TestRecordingsSurviveTheFile(t *testing.T) {
	in := newModel(1).run(800)
	var file bytes.Buffer
	if err := Write(&file, in.Entries); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(in.Entries)
	b, _ := json.Marshal(read)
	if !bytes.Equal(a, b) {
		t.Error("what was read is not what was written")
	}
	in.Entries = read
	if report := checked(t, in); len(report.Violations) > 0 {
		t.Errorf("read from the file: %v", report.Violations[0])
	}
}
