package tracker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

func everyone(announcement.PersonID) bool { return true }

func TestDecideClimbs(t *testing.T) {
	t.Parallel()
	// p0 ← p1 ← p2: p2 reports to p1, p1 to p0; only p2 is outstanding unless said.
	roster := &announcement.Roster{
		Recipients: []announcement.Recipient{{Person: "p0", Line: -1}, {Person: "p1", Line: 0}, {Person: "p2", Line: 1}},
		Lines:      []announcement.Line{{Person: "p0", Up: -1, Number: 0, Lo: 1, Hi: 3}, {Person: "p1", Up: 0, Number: 1, Lo: 2, Hi: 3}},
		Duty:       []announcement.PersonID{"pd"},
	}
	for _, row := range []struct {
		name   string
		whom   announcement.Whom
		left   announcement.PersonID
		silent []int
		cycle  bool
		want   []announcement.PersonID
	}{
		{name: "line manager", whom: announcement.CallManager, want: []announcement.PersonID{"p1"}},
		{name: "manager left", whom: announcement.CallManager, left: "p1", want: []announcement.PersonID{"p0"}},
		{name: "manager silent too", whom: announcement.CallManager, silent: []int{1}, want: []announcement.PersonID{"p0", "p1"}},
		{name: "manager's own", whom: announcement.CallManagersOwn, want: []announcement.PersonID{"p0"}},
		{name: "line ends", whom: announcement.CallManagersOwn, left: "p0", want: []announcement.PersonID{"pd"}},
		{name: "cycle", whom: announcement.CallManagersOwn, left: "p0", cycle: true, want: []announcement.PersonID{"p1"}},
		{name: "duty", whom: announcement.CallDuty, want: []announcement.PersonID{"pd"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := *roster
			r.Lines = slices.Clone(r.Lines)
			if row.cycle {
				r.Lines[0].Up = 1
			}
			a := &announcement.Announcement{Policy: announcement.Policy{Steps: []announcement.Step{{Whom: row.whom}}}}
			d := Decide(Situation{Announcement: a, Roster: &r, Reachable: everyone,
				Outstanding: func(n int) bool { return n == 2 || slices.Contains(row.silent, n) },
				Active:      func(p announcement.PersonID) bool { return p != row.left }}, 1)
			var got []announcement.PersonID
			for _, c := range d.To {
				got = append(got, c.Person)
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("called %v, want %v", got, row.want)
			}
		})
	}
}

// FuzzDecide draws random reporting graphs, cycles included: a decision always
// ends, calls nobody twice, calls nobody who left except from the duty list, and
// leaves no outstanding person without somebody called for them.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		roster := &announcement.Roster{Duty: []announcement.PersonID{"pduty", "m0"}}
		lines, people := 1+r.IntN(8), 1+r.IntN(30)
		for i := range lines {
			roster.Lines = append(roster.Lines, announcement.Line{Person: announcement.PersonID(fmt.Sprint("m", i)),
				Up: r.IntN(lines+1) - 1, Number: r.IntN(people+1) - 1, Lo: 0, Hi: people})
		}
		silent, left := map[int]bool{}, map[announcement.PersonID]bool{}
		for i := range people {
			roster.Recipients = append(roster.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprint("r", i)), Line: r.IntN(lines+1) - 1})
			silent[i] = r.IntN(2) == 0
		}
		for i := range lines {
			left[announcement.PersonID(fmt.Sprint("m", i))] = r.IntN(3) == 0
		}
		whom := []announcement.Whom{announcement.CallManager, announcement.CallManagersOwn, announcement.CallDuty}[r.IntN(3)]
		d := Decide(Situation{Announcement: &announcement.Announcement{Policy: announcement.Policy{Steps: []announcement.Step{{Whom: whom}}}},
			Roster: roster, Reachable: everyone, Outstanding: func(n int) bool { return silent[n] },
			Active: func(p announcement.PersonID) bool { return !left[p] }}, 1)
		outstanding, covered := 0, 0
		for _, s := range silent {
			if s {
				outstanding++
			}
		}
		seen := map[announcement.PersonID]bool{}
		for _, c := range d.To {
			if seen[c.Person] {
				t.Errorf("%s is called twice", c.Person)
			}
			seen[c.Person] = true
			if left[c.Person] && c.Line >= 0 {
				t.Errorf("%s left and is called", c.Person)
			}
			if c.Count > outstanding {
				t.Errorf("%s is told of %d people, only %d are outstanding", c.Person, c.Count, outstanding)
			}
			covered += c.Count
		}
		if covered < outstanding {
			t.Errorf("calls cover %d of %d outstanding", covered, outstanding)
		}
	})
}

// TestDueKeepsDistances: a step that came late moves those after it.
func TestDueKeepsDistances(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	e := &entry{View: View{OpenedAt: start, Announcement: &announcement.Announcement{Policy: announcement.Policy{Steps: []announcement.Step{
		{After: announcement.Duration(time.Minute)}, {After: announcement.Duration(3 * time.Minute)}, {After: announcement.Duration(4 * time.Minute)}}}}}}
	for _, row := range []struct {
		name        string
		fired, want time.Duration
	}{
		{"first", 0, time.Minute},
		{"on time", 64 * time.Second, 3 * time.Minute},
		{"an hour late", time.Hour, time.Hour + time.Minute},
	} {
		if row.fired > 0 {
			e.Rounds = append(e.Rounds, announcement.Decided{Step: len(e.Rounds) + 1, Version: 1})
			e.RoundsAt = append(e.RoundsAt, start.Add(row.fired))
		}
		if at, _, ok := e.due(); !ok || at.Sub(start) != row.want {
			t.Errorf("%s: due after %v, want %v", row.name, at.Sub(start), row.want)
		}
	}
}
