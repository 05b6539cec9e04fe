package chaos

import (
	"slices"
	"testing"
)

func TestGrown(t *testing.T) {
	flat := [2]Usage{{MB: 30, Goroutines: 80}, {MB: 40, Goroutines: 100}}
	for _, tt := range []struct {
		name  string
		usage map[string][2]Usage
		want  []string
	}{
		{"what varies", map[string][2]Usage{"connector": flat, "broker": flat}, nil},
		{"memory", map[string][2]Usage{"connector": flat, "chatworker": {{MB: 30}, {MB: 46}}},
			[]string{"the memory of a chatworker grew from 30 to 46 MB"}},
		{"goroutines", map[string][2]Usage{"connector": {{MB: 30, Goroutines: 80}, {MB: 30, Goroutines: 111}}},
			[]string{"the goroutines of a connector grew from 80 to 111"}},
		{"the broker's log", map[string][2]Usage{"broker": {{MB: 30, Goroutines: 80}, {MB: 300, Goroutines: 80}}}, nil},
		{"the broker's goroutines", map[string][2]Usage{"broker": {{Goroutines: 80}, {Goroutines: 200}}},
			[]string{"the goroutines of a broker grew from 80 to 200"}},
	} {
		if got := (&Result{Usage: tt.usage}).Grown(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
