package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
	switch {
	case e.Alone:
		why(v.T("sent without a second person"))
	case e.ApprovedBy != "":
		why(v.T("approved by %s", e.ApprovedBy))
	}
	why(v.Say(e.Reason))
	if e.Count > 1 && e.Kind != announcement.KindDecided { // a decision says itself whom it concerns
		l.Why = v.T("%s {time|times}", v.N(e.Count)) + map[bool]string{true: ": "}[l.Why != ""] + l.Why
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

// chapter is part of the timeline that can be read alone.
type chapter struct {
	Key, Label string
	filter     StoryFilter
}

// decisions are what was decided, who needs help and who handles it.
var decisions = StoryFilter{CallsForHelp: true, Kinds: []announcement.Kind{announcement.KindAnnounced, announcement.KindCommitted,
	announcement.KindDecided, announcement.KindClaimed, announcement.KindExcused, announcement.KindJoined, announcement.KindMoved, announcement.KindRevised, announcement.KindClosed, announcement.KindHeard}}

var chapters = []chapter{
	{"", "Everything", StoryFilter{}},
	{"decisions", "Decisions and calls for help", decisions},
	{"answers", "Answers", StoryFilter{Kinds: []announcement.Kind{announcement.KindAnswered, announcement.KindVouched, announcement.KindClaimed, announcement.KindHeard, announcement.KindOpened}}},
	// What providers and phones did, for whoever looks for a fault.
	{"calls", "Calls and receipts", StoryFilter{Kinds: []announcement.Kind{announcement.KindRecipients, announcement.KindCalled, announcement.KindReceipt}}},
}

// shownLines is how many lines of the timeline the board shows.
const shownLines = 12

// Story is the timeline as lines.
func (v boardView) Story() []line {
	out := make([]line, 0, len(v.Timeline.Entries))
	for _, e := range v.Timeline.Entries {
		out = append(out, v.Line(e))
	}
	return out
}

// delivery is how far a channel has come, in words.
type delivery struct {
	Name  string
	Said  []string
	Again string // where what failed is sent again
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
		if d.Queued > 0 {
			said.Said = append(said.Said, v.T("%s waiting, the oldest since %s", v.N(d.Queued), v.Clock(v.OpenedAt)))
		}
		add(d.Shown, "%s shown on the phone")
		add(d.Delivered, "%s delivered, says the carrier")
		add(d.Sent, "%s handed to the carrier")
		add(d.Accepted, "%s accepted; we cannot see whether it arrived")
		for _, why := range slices.Sorted(maps.Keys(d.Failures)) {
			said.Said = append(said.Said, v.T("%s failed: %s", v.N(d.Failures[why]), v.failure(c, why)))
		}
		if len(d.Failures) == 0 {
			add(d.Failed, "%s failed")
		}
		if c == announcement.SMS && v.Live && v.Sends() && (mends(d) || v.SMSAway && d.Queued > 0) {
			said.Again = "/alerts/" + string(v.ID) + "/resend"
		}
		if len(said.Said) == 0 {
			said.Said = []string{v.T("nobody")}
		}
		out = append(out, said)
	}
	return out
}

// mends reports whether sending again could help anybody whom this channel failed.
func mends(d DeliveryCounts) bool {
	if len(d.Failures) == 0 {
		return d.Failed > 0
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(d.Failures)), func(why string) bool { return announcement.Decided{Second: true}.Mends(why) })
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

// shownGroups is how many sites or teams the board lists; the others are on a
// page of their own.
const shownGroups = 8

// group is one row of a table of sites or teams.
type group struct {
	Name   string
	Link   string
	Hint   string
	Counts announcement.Counts
}

// groups is a table of sites or teams.
type groups struct {
	page
	Title, First string
	Rows         []group
	More         int    // so many others
	All          string // where they are
}

// BySite is the table of sites, when there is more than one.
func (v boardView) BySite() *groups {
	if len(v.Sites) < 2 {
		return nil
	}
	n := min(len(v.Sites), shownGroups)
	return &groups{v.page, "Sites", "Site", v.siteRows(v.Sites[:n]), len(v.Sites) - n, v.at("/sites")}
}

// ByTeam is the table of teams. Managers of managers come last: their people are
// in the teams before, and they would otherwise always be first and say nothing.
func (v boardView) ByTeam() *groups {
	if len(v.Teams) == 0 {
		return nil
	}
	return &groups{v.page, "Teams", "Manager", v.teamRows(v.Teams), v.TeamTotal - len(v.Teams), v.at("/teams")}
}

func (v boardView) siteRows(sites []site) []group {
	out := make([]group, len(sites))
	for i, s := range sites {
		out[i] = group{Name: s.Name, Link: v.at("/people?" + url.Values{"site": {s.Name}}.Encode()), Counts: s.Counts}
	}
	return out
}

func (v boardView) teamRows(teams []Team) []group {
	out := make([]group, len(teams))
	for i, t := range teams {
		out[i] = group{Name: t.Name.Name, Link: v.at("/people?" + url.Values{"team": {t.Number}}.Encode()), Counts: t.Counts}
		if t.Leads {
			out[i].Hint = v.T("with the teams below")
		}
	}
	return out
}

// at is an address below the board.
func (v boardView) at(path string) string { return "/alerts/" + string(v.ID) + path }

// groupsView is a page of all sites or all teams.
type groupsView struct {
	boardView
	Table groups
}

// pages are links to the pages before and after this one.
type pages struct{ Before, After string }

// around returns the links around a page of a list that has total rows.
func around(path string, query url.Values, offset, limit, total int) (p pages) {
	link := func(offset int) string {
		to := url.Values{}
		for k, v := range query {
			if k != "offset" && k != "lang" && len(v) > 0 && v[0] != "" {
				to.Set(k, v[0])
			}
		}
		to.Set("offset", strconv.Itoa(offset))
		return path + "?" + to.Encode()
	}
	if offset > 0 {
		p.Before = link(max(0, offset-limit))
	}
	if offset+limit < total {
		p.After = link(offset + limit)
	}
	return p
}

// offsetOf reads where a page of a list begins.
func offsetOf(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	return max(0, n)
}

func (s *Server) boardTeams(w http.ResponseWriter, r *http.Request) {
	v, err := s.boardView(r)
	if err == nil {
		v.Teams, v.TeamTotal, err = s.boards(r.Context()).Teams(r.Context(), v.ID, TeamFilter{LeadersLast: true, Offset: offsetOf(r), Limit: rowsPerPage})
	}
	if err != nil {
		s.fail(w, r, "teams of an alert", err)
		return
	}
	v.pages = around(r.URL.Path, r.URL.Query(), offsetOf(r), rowsPerPage, v.TeamTotal)
	g := groupsView{boardView: v, Table: groups{page: v.page, Title: "Teams", First: "Manager", Rows: v.teamRows(v.Teams)}}
	s.show(w, r, http.StatusOK, "board", "all-groups", g)
}

func (s *Server) boardSites(w http.ResponseWriter, r *http.Request) {
	v, err := s.boardView(r)
	var sites map[string]announcement.Counts
	if err == nil {
		sites, err = s.boards(r.Context()).Sites(r.Context(), v.ID)
	}
	if err != nil {
		s.fail(w, r, "sites of an alert", err)
		return
	}
	all := sorted(sites)
	from := min(offsetOf(r), len(all))
	v.pages = around(r.URL.Path, r.URL.Query(), from, rowsPerPage, len(all))
	g := groupsView{boardView: v, Table: groups{page: v.page, Title: "Sites", First: "Site", Rows: v.siteRows(all[from:min(from+rowsPerPage, len(all))])}}
	s.show(w, r, http.StatusOK, "board", "all-groups", g)
}

// timelineView is the whole timeline, a page at a time.
type timelineView struct {
	boardView
	Chapter  string
	Chapters []chapter
}

func (s *Server) boardTimeline(w http.ResponseWriter, r *http.Request) {
	v := timelineView{Chapter: r.URL.Query().Get("of"), Chapters: chapters}
	var err error
	if v.boardView, err = s.boardView(r); err == nil {
		f := StoryFilter{}
		for _, c := range chapters {
			if c.Key == v.Chapter {
				f = c.filter
			}
		}
		f.Offset, f.Limit = offsetOf(r), rowsPerPage
		v.Timeline, err = s.boards(r.Context()).Story(r.Context(), v.ID, f)
	}
	if err != nil {
		s.fail(w, r, "timeline", err)
		return
	}
	v.pages = around(r.URL.Path, r.URL.Query(), offsetOf(r), rowsPerPage, v.Timeline.Total)
	s.show(w, r, http.StatusOK, "board", "timeline", v)
}
