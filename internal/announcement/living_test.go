package announcement_test

import (
	"slices"
	"testing"

	"kentongan/internal/announcement"
)

// A team of several lines is everybody below one of them, each once.
func TestTeamOfSeveralLines(t *testing.T) {
	ro := &announcement.Roster{Recipients: make([]announcement.Recipient, 6), Lines: []announcement.Line{
		{Up: -1, Lo: 0, Hi: 6}, {Up: 0, Lo: 0, Hi: 3}, {Up: 1, Lo: 0, Hi: 1}, {Up: 1, Lo: 1, Hi: 3}, {Up: 0, Lo: 3, Hi: 6},
	}}
	for _, c := range []struct {
		lines []int
		want  announcement.Team
	}{
		{[]int{1, 4}, announcement.Team{{Lo: 0, Hi: 3}, {Lo: 3, Hi: 6}}},
		{[]int{4, 1, 2}, announcement.Team{{Lo: 0, Hi: 3}, {Lo: 3, Hi: 6}}},
		{[]int{0, 2, 3, 4}, announcement.Team{{Lo: 0, Hi: 6}}},
		{[]int{3}, announcement.Team{{Lo: 1, Hi: 3}}},
		{nil, nil},
	} {
		if got := ro.Team(c.lines...); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.lines, got, c.want)
		}
	}
}
