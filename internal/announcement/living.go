package announcement

import (
	"cmp"
	"slices"
)

// AudienceMode says what becomes of an audience while the announcement is open.
// Whoever leaves the company is asked no more in either mode.
//
// Nobody leaves an audience otherwise: whoever moves to another site in the middle of
// a fire may still be in it, and was asked already.
type AudienceMode string

const (
	// LiveAudience: whoever comes to belong to it is called and counted.
	LiveAudience AudienceMode = "live"
	// SnapshotAudience: it stays as it was when the announcement was sent. What was
	// sent before there were modes says none, and is one.
	SnapshotAudience AudienceMode = "snapshot"
)

// Joiner is somebody who came to belong to the audience, or came back, while the
// announcement was open. Their number is the next that is free, in the order of the
// ledger; it lies outside of their manager's range, so who leads them stands beside.
type Joiner struct {
	Recipient
	Above []PersonID `json:"above,omitempty"` // who leads them, the nearest first
}

// Joined adds people to the recipients. Whoever is one already, and was excused, is
// asked again; anybody else who is one already stays as they are, so that two nodes
// may both say it.
type Joined struct {
	People []Joiner `json:"people"`
}

// Move says who leads somebody now.
type Move struct {
	Person PersonID   `json:"p"`
	Above  []PersonID `json:"above,omitempty"` // the nearest first
}

// Moved puts people below other managers: recipients, and managers with all of theirs.
type Moved struct {
	People []Move `json:"people"`
}

// Span is recipients [Lo, Hi).
type Span struct{ Lo, Hi int }

// Team is the recipients that somebody answers for, in order.
type Team []Span

// Has reports whether recipient n is in the team.
func (t Team) Has(n int) bool {
	return slices.ContainsFunc(t, func(s Span) bool { return n >= s.Lo && n < s.Hi })
}

// Size returns how many they are.
func (t Team) Size() (n int) {
	for _, s := range t {
		n += s.Hi - s.Lo
	}
	return n
}

// Everybody is a team of all recipients.
func (ro *Roster) Everybody() Team { return Team{{0, len(ro.Recipients)}} }

// Team returns everybody below these lines, at any depth.
func (ro *Roster) Team(lines ...int) Team {
	var t Team
	if !ro.Strays {
		for _, l := range lines {
			if l >= 0 && l < len(ro.Lines) && ro.Lines[l].Lo < ro.Lines[l].Hi {
				t = append(t, Span{ro.Lines[l].Lo, ro.Lines[l].Hi})
			}
		}
		slices.SortFunc(t, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(b.Hi, a.Hi)) })
		var apart Team // ranges of a tree lie within each other, or apart
		for _, s := range t {
			if len(apart) == 0 || s.Hi > apart[len(apart)-1].Hi {
				apart = append(apart, s)
			}
		}
		return apart
	}
	const unknown, out, in = 0, 1, 2
	below := make([]int8, len(ro.Lines)) // whether a line is one of them, or below one
	for _, l := range lines {
		if l >= 0 && l < len(below) {
			below[l] = in
		}
	}
	var passed []int
	for n, r := range ro.Recipients {
		passed = passed[:0]
		at, is := r.Line, int8(out)
		for at >= 0 && at < len(ro.Lines) && len(passed) <= len(ro.Lines) {
			if below[at] != unknown {
				is = below[at]
				break
			}
			passed = append(passed, at)
			at = ro.Lines[at].Up
		}
		for _, l := range passed {
			below[l] = is
		}
		switch {
		case is != in:
		case len(t) > 0 && t[len(t)-1].Hi == n:
			t[len(t)-1].Hi++
		default:
			t = append(t, Span{n, n + 1})
		}
	}
	return t
}

// Teams returns the team of every line.
func (ro *Roster) Teams() []Team {
	teams := make([]Team, len(ro.Lines))
	if !ro.Strays {
		for i := range ro.Lines {
			teams[i] = ro.Team(i)
		}
		return teams
	}
	passed := make([]int, len(ro.Lines)) // by which recipient a line was last passed
	for n, r := range ro.Recipients {
		for at := r.Line; at >= 0 && at < len(ro.Lines) && passed[at] != n+1; at = ro.Lines[at].Up {
			passed[at] = n + 1
			if t := teams[at]; len(t) > 0 && t[len(t)-1].Hi == n {
				t[len(t)-1].Hi++
			} else {
				teams[at] = append(t, Span{n, n + 1})
			}
		}
	}
	return teams
}

// LinesOf returns the lines of these managers.
func (ro *Roster) LinesOf(is func(PersonID) bool) (lines []int) {
	for i, l := range ro.Lines {
		if is(l.Person) {
			lines = append(lines, i)
		}
	}
	return lines
}

// Join returns the roster with one more recipient; readers of this one see nothing.
func (ro *Roster) Join(j Joiner) *Roster {
	out := *ro
	out.Strays = true
	r := j.Recipient
	r.Line = out.lineOf(j.Above)
	n := len(out.Recipients)
	out.Recipients = append(out.Recipients, r)
	for i, l := range out.Lines {
		if l.Person == r.Person && l.Number < 0 {
			out.Lines = slices.Clone(out.Lines)
			out.Lines[i].Number = n
		}
	}
	return &out
}

// Move returns the roster with people below other managers.
func (ro *Roster) Move(moves []Move) *Roster {
	out := *ro
	out.Strays = true
	out.Recipients, out.Lines = slices.Clone(ro.Recipients), slices.Clone(ro.Lines)
	to := make(map[PersonID]int, len(moves))
	for _, m := range moves {
		to[m.Person] = out.lineOf(m.Above)
	}
	for n, r := range out.Recipients {
		if line, ok := to[r.Person]; ok {
			out.Recipients[n].Line = line
		}
	}
	for i, l := range out.Lines {
		if line, ok := to[l.Person]; ok && line != i {
			out.Lines[i].Up = line
		}
	}
	return &out
}

// lineOf returns the line of the first of these managers, and adds it, and those
// above, where they are new.
func (ro *Roster) lineOf(above []PersonID) int {
	if len(above) == 0 {
		return -1
	}
	if i := slices.IndexFunc(ro.Lines, func(l Line) bool { return l.Person == above[0] }); i >= 0 {
		return i
	}
	l := Line{Person: above[0], Up: ro.lineOf(above[1:])}
	l.Number = slices.IndexFunc(ro.Recipients, func(r Recipient) bool { return r.Person == above[0] })
	ro.Lines = append(ro.Lines, l)
	return len(ro.Lines) - 1
}
