package tracker

import (
	"math/rand/v2"
	"slices"
	"testing"

	"kentongan/internal/announcement"
)

// TestStandingCountsAsOneByOne counts random crowds 64 at a time, and as one
// would by hand.
func TestStandingCountsAsOneByOne(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		people := random.IntN(300)
		snap := Snapshot{Bits: map[string]Bitmap{}}
		for _, name := range bitmapNames {
			for n := range people {
				if random.IntN(4) == 0 {
					snap.Bits[name] = snap.Bits[name].with(n, true)
				}
			}
		}
		in := func(name string, n int) bool { return snap.Bits[name].Get(n) }
		s := newStanding(snap, people, false)
		lo := random.IntN(people + 1)
		hi := lo + random.IntN(people-lo+1)
		var want announcement.Counts
		members := map[announcement.State][]int{}
		outstanding := 0
		for n := lo; n < hi; n++ {
			answered := in(bitHelp, n) || in(bitSafe, n) || in(bitOffSite, n)
			excused := in(bitExcused, n) && !answered
			state := stateOf(func(name string) bool { return in(name, n) })
			if s.Excused(n) != excused || s.Called(n) != in(bitCalled, n) || s.Outstanding(n) != (!in(bitExcused, n) && !answered) {
				t.Fatalf("seed %d: recipient %d is misjudged", seed, n)
			}
			if excused {
				want.Excused++
				continue
			}
			if s.State(n) != state {
				t.Fatalf("seed %d: recipient %d is %s, want %s", seed, n, s.State(n), state)
			}
			want.Add(state)
			members[state] = append(members[state], n)
			if in(bitVouched, n) {
				want.VouchedBy++
			}
			if in(bitLate, n) {
				want.Late++
			}
			if !answered {
				outstanding++
			}
		}
		if got := s.CountsIn(lo, hi); got != want {
			t.Fatalf("seed %d: of [%d, %d): %+v, want %+v", seed, lo, hi, got, want)
		}
		for _, state := range announcement.States {
			if got := slices.Collect(s.In(state, lo, hi)); !slices.Equal(got, members[state]) {
				t.Fatalf("seed %d: %s are %v, want %v", seed, state, got, members[state])
			}
		}
		if help, waiting := s.WaitingIn(lo, hi); help != want.NeedHelp || waiting != outstanding {
			t.Fatalf("seed %d: %d need help and %d wait, want %d and %d", seed, help, waiting, want.NeedHelp, outstanding)
		}
	}
}
