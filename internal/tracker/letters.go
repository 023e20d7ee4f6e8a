package tracker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Seat is somebody's place in an announcement, with the letter by which a reply
// by SMS names it: "1B". It has none as long as a digit alone cannot be mistaken.
type Seat struct {
	Place
	Person announcement.PersonID
	Letter string
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Seats returns the places of the people who have one number, oldest first: those
// open, and those closed within 30 days.
//
// A letter names one person in one announcement, so that two people who share a
// phone and two announcements at once are told apart in the same way. It is given
// when an announcement opens while another is open for these people, or when they
// are several; it is not given again until 30 days after the close. All of that
// follows from the ledger and from who shares the number: nothing is stored.
func (t *Tracker) Seats(people ...announcement.PersonID) []Seat {
	now := t.o.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	var all []Seat
	for _, p := range people {
		for _, place := range t.places[p] {
			place.Open = t.entries[place.ID].Status == announcement.StatusOpen
			all = append(all, Seat{Place: place, Person: p})
		}
	}
	slices.SortFunc(all, func(a, b Seat) int {
		return cmp.Or(cmp.Compare(t.entries[a.ID].opened, t.entries[b.ID].opened), cmp.Compare(a.Number, b.Number))
	})
	live := all[:0:0] // of the seat at hand: those whose letters count
	var out []Seat
	for lo, hi := 0, 0; lo < len(all); lo = hi {
		e := t.entries[all[lo].ID]
		for hi = lo; hi < len(all) && all[hi].ID == all[lo].ID; hi++ {
		}
		live = slices.DeleteFunc(live, func(s Seat) bool { return !t.entries[s.ID].counts(e.OpenedAt) })
		together := len(people) > 1
		for _, s := range live {
			together = together || t.entries[s.ID].openAt(e.opened)
		}
		live = append(live, all[lo:hi]...)
		if !together {
			continue
		}
		used := ""
		for _, s := range live {
			used += s.Letter
		}
		for i, s := range live {
			if s.Letter == "" && (s.ID == all[lo].ID || t.entries[s.ID].openAt(e.opened)) {
				live[i].Letter = nextLetter(used)
				used += live[i].Letter
			}
		}
	}
	for _, s := range live {
		if t.entries[s.ID].counts(now) {
			out = append(out, s)
		}
	}
	return out
}

// counts reports whether the letters of an announcement are taken at a time.
func (e *entry) counts(at time.Time) bool {
	return e.Status == announcement.StatusOpen || at.Sub(e.ClosedAt) < keptFor
}

// openAt reports whether it was open at a position of the ledger after its own
// opening. Positions, not times: the clocks of two nodes differ.
func (e *entry) openAt(seq uint64) bool { return e.closed == 0 || e.closed > seq }

// nextLetter is the first that is free. With all taken it is the last one: a reply
// with it is asked again.
func nextLetter(used string) string {
	for _, l := range letters {
		if !strings.ContainsRune(used, l) {
			return string(l)
		}
	}
	return letters[len(letters)-1:]
}
