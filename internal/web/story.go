package web

import (
	"maps"
	"slices"

	"kentongan/internal/announcement"
)

// line is one line of a story: when, what, and who or why.
type line struct {
	Clock, What, Why string
}

// Line says an entry of the timeline in the reader's language.
func (v boardView) Line(e Entry) line {
	l := line{Clock: v.Clock(e.At), What: v.Say(e.What)}
	why := func(part string) {
		switch {
		case part == "":
		case l.Why == "":
			l.Why = part
		default:
			l.Why += ", " + part
		}
	}
	if e.Actor != "Network" { // what the network says is clear from the sentence
		why(v.Say(e.Actor))
	}
	if e.Name != e.Actor {
		why(e.Name)
	}
	why(v.Say(e.Reason))
	if e.Count > 1 && e.Kind != announcement.KindDecided { // a decision says itself whom it concerns
		l.Why = v.T("%s times", v.N(e.Count)) + map[bool]string{true: ": "}[l.Why != ""] + l.Why
	}
	return l
}

// Line leaves out the name: the page is about this person.
func (v personView) Line(e Entry) line {
	if e.Name == v.Person.Name.Name {
		e.Name = ""
	}
	if e.Actor == v.Person.Name.Name {
		e.Actor = ""
	}
	return v.boardView.Line(e)
}

// traffic are the facts that only somebody who looks for a fault wants to read.
var traffic = []announcement.Kind{announcement.KindRecipients, announcement.KindCalled, announcement.KindReceipt}

// Story is what people did and what was decided.
func (v boardView) Story() []line { return v.lines(false) }

// Traffic is what providers and phones did.
func (v boardView) Traffic() []line { return v.lines(true) }

func (v boardView) lines(wanted bool) []line {
	var out []line
	for _, e := range v.Timeline {
		if slices.Contains(traffic, e.Kind) == wanted {
			out = append(out, v.Line(e))
		}
	}
	return out
}

// delivery is how far a channel has come, in words.
type delivery struct {
	Name string
	Said []string
}

// Delivered says for each channel what is known, and what is not.
func (v boardView) Delivered() []delivery {
	var out []delivery
	for _, c := range announcement.Channels {
		d, ok := v.Deliveries[c]
		if !ok {
			continue
		}
		said := delivery{Name: v.ChannelName(c)}
		add := func(n int, english string) {
			if n > 0 {
				said.Said = append(said.Said, v.T(english, v.N(n)))
			}
		}
		add(d.Queued, "%s waiting")
		add(d.Shown, "%s shown on the phone")
		add(d.Delivered, "%s delivered, says the carrier")
		add(d.Sent, "%s handed to the carrier")
		add(d.Accepted, "%s accepted; we cannot see whether it arrived")
		for _, why := range slices.Sorted(maps.Keys(d.Failures)) {
			said.Said = append(said.Said, v.T("%s failed: %s", v.N(d.Failures[why]), v.word(why)))
		}
		if len(d.Failures) == 0 {
			add(d.Failed, "%s failed")
		}
		if len(said.Said) == 0 {
			said.Said = []string{v.T("nobody")}
		}
		out = append(out, said)
	}
	return out
}

// shownTeams is how many teams the board lists openly.
const shownTeams = 8

// TeamsShown are the teams that wait for most answers.
func (v boardView) TeamsShown() []Team { return v.Teams[:min(len(v.Teams), shownTeams)] }

// TeamsMore are the other teams.
func (v boardView) TeamsMore() []Team { return v.Teams[min(len(v.Teams), shownTeams):] }

// teamTable is a table of teams.
type teamTable struct {
	page
	ID   announcement.ID
	Rows []Team
}

// TeamTable is the table of these teams.
func (v boardView) TeamTable(rows []Team) teamTable { return teamTable{v.page, v.ID, rows} }
