package web

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

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

// chapter is a part of the story: what somebody looks for together.
type chapter int

const (
	events  chapter = iota // what was decided, and who needs help
	answers                // everybody who answered, one by one
	traffic                // what providers and phones did: for whoever looks for a fault
)

func chapterOf(e Entry) chapter {
	switch e.Kind {
	case announcement.KindRecipients, announcement.KindCalled, announcement.KindReceipt:
		return traffic
	case announcement.KindAnswered, announcement.KindVouched, announcement.KindOpened:
		if !strings.Contains(e.What, string(announcement.NeedsHelp)) {
			return answers
		}
	}
	return events
}

// storyLines is how many lines of a chapter the board shows, the newest; the API
// has them all.
const storyLines = 60

// tale is a chapter as the board shows it.
type tale struct {
	Lines []line
	All   int // with those left out
}

// Left is how many lines are left out.
func (t tale) Left() int { return t.All - len(t.Lines) }

// toldTale is a tale with the page around it.
type toldTale struct {
	page
	tale
}

// Told is a tale for its template.
func (v boardView) Told(t tale) toldTale { return toldTale{v.page, t} }

// Story is what was decided, and who needs help.
func (v boardView) Story() tale { return v.tale(events) }

// OneByOne is who answered.
func (v boardView) OneByOne() tale { return v.tale(answers) }

// Traffic is what providers and phones did.
func (v boardView) Traffic() tale { return v.tale(traffic) }

func (v boardView) tale(c chapter) tale {
	var t tale
	for _, e := range slices.Backward(v.Timeline) {
		if chapterOf(e) != c {
			continue
		}
		if t.All++; t.All <= storyLines {
			t.Lines = append(t.Lines, v.Line(e))
		}
	}
	slices.Reverse(t.Lines)
	return t
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

// site is how one site stands.
type site struct {
	Name   string
	Counts announcement.Counts
}

// sorted lists the sites, those that wait for most answers first.
func sorted(sites map[string]announcement.Counts) []site {
	var out []site
	for name, counts := range sites {
		out = append(out, site{name, counts})
	}
	slices.SortFunc(out, func(a, b site) int {
		return cmp.Or(cmp.Compare(b.Counts.NeedHelp, a.Counts.NeedHelp), cmp.Compare(b.Counts.Outstanding(), a.Counts.Outstanding()), strings.Compare(a.Name, b.Name))
	})
	return out
}

// shownGroups is how many sites or teams the board lists openly.
const shownGroups = 8

// group is one row of a table of sites or teams.
type group struct {
	Name   string
	Link   string
	Hint   string
	Counts announcement.Counts
}

// groups is a table of sites or teams: the first ones openly, more behind a
// button.
type groups struct {
	page
	Title, First string
	Open, More   []group
}

func (v boardView) groups(title, first string, all []group) groups {
	n := min(len(all), shownGroups)
	return groups{v.page, title, first, all[:n], all[n:]}
}

// BySite is the table of sites, when there is more than one.
func (v boardView) BySite() *groups {
	if len(v.Sites) < 2 {
		return nil
	}
	var all []group
	for _, s := range v.Sites {
		all = append(all, group{Name: s.Name, Link: "/alerts/" + string(v.ID) + "/people?" + url.Values{"site": {s.Name}}.Encode(), Counts: s.Counts})
	}
	g := v.groups("Sites", "Site", all)
	return &g
}

// ByTeam is the table of teams. Managers of managers come last: their people are
// in the teams before, and they would otherwise always be first and say nothing.
func (v boardView) ByTeam() *groups {
	byRow := slices.SortedFunc(slices.Values(v.Teams), func(a, b Team) int {
		return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(b.Hi, a.Hi))
	})
	direct := map[string]bool{}
	for i, t := range byRow {
		direct[t.Number] = i+1 == len(byRow) || byRow[i+1].Lo >= t.Hi
	}
	var all, above []group
	for _, t := range v.Teams {
		g := group{Name: t.Name.Name, Link: "/alerts/" + string(v.ID) + "/people?" + url.Values{"team": {t.Number}}.Encode(), Counts: t.Counts}
		if direct[t.Number] {
			all = append(all, g)
		} else {
			g.Hint = v.T("with the teams below")
			above = append(above, g)
		}
	}
	if len(all) == 0 {
		return nil
	}
	g := v.groups("Teams", "Manager", append(all, above...))
	return &g
}

// Rest is the table behind the button.
func (g groups) Rest() groups {
	g.Open, g.More = g.More, nil
	return g
}
