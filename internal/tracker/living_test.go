package tracker

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// TestPeopleChangeWhileItIsOpen judges both stores: who left, came back, joined and
// moved is the same on two nodes, when it is said twice, and when the store is emptied.
func TestPeopleChangeWhileItIsOpen(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			start := time.Now().UTC().Truncate(time.Millisecond)
			l, s := ledger.NewMemory(time.Now), store()
			open(t, l, start, 70)
			left := sync.Map{}
			left.Store(announcement.PersonID("p6"), true)
			house := func(s Store) *Tracker {
				gone := func(p announcement.PersonID) bool { _, is := left.Load(p); return is }
				return begin(t, Options{Ledger: l, Store: s, Tick: 20 * time.Millisecond, Left: gone, Active: func(p announcement.PersonID) bool { return !gone(p) }})
			}
			a, b := house(s), house(s)
			fact := func(k announcement.Kind) announcement.Fact {
				return announcement.Fact{Announcement: fire, Kind: k, At: start, Actor: announcement.ByPolicy}
			}
			excused := func(n int) announcement.Fact {
				f := fact(announcement.KindExcused)
				f.Reason, f.Excused = whyLeft, &announcement.Excused{Number: n}
				return f
			}
			joined := func(people ...announcement.Joiner) announcement.Fact {
				f := fact(announcement.KindJoined)
				f.Joined = &announcement.Joined{People: people}
				return f
			}
			joiner := func(p announcement.PersonID, why string, above ...announcement.PersonID) announcement.Joiner {
				return announcement.Joiner{Recipient: announcement.Recipient{Person: p, Line: -1, Unreachable: why}, Above: above}
			}
			write(t, l, excused(5), excused(6), excused(5))
			both := joined(joiner("new1", "", "p7", "p0"), joiner("new2", "no_contact_point", "boss"), joiner("p5", ""), joiner("p9", ""))
			write(t, l, both, both) // by two nodes
			write(t, l, joined(joiner("new1", "", "p0"), joiner("new3", "", "p0")))
			moved := fact(announcement.KindMoved)
			moved.Moved = &announcement.Moved{People: []announcement.Move{{Person: "p8", Above: []announcement.PersonID{"boss"}}, {Person: "p7", Above: []announcement.PersonID{"boss"}}}}
			write(t, l, moved, moved)
			write(t, l, answer(70, announcement.Safe, start, "n1"))

			want := announcement.Counts{Recipients: 72, Confirmed: 1, NoAnswer: 70, Unreachable: 1, Excused: 1}
			check := func(tr *Tracker, when string) {
				t.Helper()
				if got := counts(t, tr); got != want {
					t.Fatalf("%s: got %+v, want %+v", when, got, want)
				}
				v, _ := tr.View(fire)
				ro := v.Roster
				if ro.Recipients[70].Person != "new1" || ro.Recipients[72].Person != "new3" || len(ro.Recipients) != 73 || v.Asked != 70 {
					t.Fatalf("%s: the wrong people are recipients %d..: %+v", when, v.Asked, ro.Recipients[70:])
				}
				under := func(p announcement.PersonID) announcement.Team {
					return ro.Team(ro.LinesOf(func(m announcement.PersonID) bool { return m == p })...)
				}
				// new1 is below p7, who moved below boss; so did p8.
				if top := under("p0"); top.Has(8) || top.Has(7) || top.Has(70) || !top.Has(72) || !top.Has(9) || top.Size() != 68 {
					t.Errorf("%s: p0 leads %v", when, top)
				}
				if boss := under("boss"); !slices.Equal(boss, announcement.Team{{Lo: 7, Hi: 9}, {Lo: 70, Hi: 72}}) {
					t.Errorf("%s: boss leads %v", when, boss)
				}
				for i, team := range ro.Teams() {
					if !slices.Equal(team, ro.Team(i)) {
						t.Errorf("%s: line %d: %v and %v", when, i, team, ro.Team(i))
					}
				}
				if seats := tr.OpenFor("new3"); len(seats) != 1 || seats[0].Number != 72 {
					t.Errorf("%s: new3 sits at %v", when, seats)
				}
			}
			check(a, "one node")
			check(b, "another")
			flush(t, s)
			check(a, "emptied")
			check(house(store()), "anew") // as after a restart
			left.Store(announcement.PersonID("p5"), true)
			write(t, l, excused(5))
			if got := counts(t, a); got.Excused != 2 {
				t.Errorf("who left again: got %+v, want two excused", got)
			}
		})
	}
}
