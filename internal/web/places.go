package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routePlaces() {
	s.on("GET /sites", to(See).notesNothing(showsCounts), s.sitesPage)
	s.on("GET /sites/edit", to(Keep).notesNothing(oneForm), s.sitePage)
	s.on("POST /sites/edit", to(Keep).notes(announcement.SiteChanged), s.saveSite)
	s.on("POST /sites/delete", to(Keep).notes(announcement.SiteChanged), s.deleteSite)
	s.on("GET /groups", to(See).notesNothing(showsCounts), s.groupsPage)
	s.on("GET /groups/edit", to(See).notes(announcement.PeopleListed), s.groupPage)
	s.on("POST /groups/edit", to(Keep).notes(announcement.GroupChanged), s.saveGroup)
	s.on("POST /groups/delete", to(Keep).notes(announcement.GroupChanged), s.deleteGroup)
}

type placesView struct {
	page
	Sites   []Site
	Site    Site
	Groups  []Group
	Group   Group
	Members []Name
	Choices GroupChoices
}

// zones are those of Indonesia, by their short names, for a list to choose from.
var zones = []string{"Asia/Jakarta", "WIB", "Asia/Makassar", "WITA", "Asia/Jayapura", "WIT"}

// Zones are the time zones to choose from; another one that a site has stays.
func (v placesView) Zones() []option {
	out := append(options(v.Site.Zone, "", "As the company"), options(v.Site.Zone, zones...)...)
	if !slices.ContainsFunc(out, func(o option) bool { return o.On }) {
		out = append(out, option{v.Site.Zone, v.Site.Zone, true})
	}
	return out
}

func (s *Server) sitesPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "places", "sites", placesView{page: s.page(r, "Sites"), Sites: s.People.AllSites(r.Context())})
}

// site finds the site that a page is about: a known one, or a name that people
// have and nobody set up.
func (s *Server) site(r *http.Request) Site {
	id, name := r.FormValue("id"), r.FormValue("name")
	for _, site := range s.People.AllSites(r.Context()) {
		if id != "" && site.ID == id || id == "" && name != "" && site.Name == name {
			return site
		}
	}
	return Site{Emergency: "112"}
}

func (s *Server) sitePage(w http.ResponseWriter, r *http.Request) {
	v := placesView{Site: s.site(r)}
	if v.Site.Emergency == "" {
		v.Site.Emergency = "112"
	}
	s.showPlace(w, r, "site", "Site", v, nil)
}

func (s *Server) showPlace(w http.ResponseWriter, r *http.Request, part, title string, v placesView, errs announcement.FieldErrors) {
	v.page = s.page(r, title)
	if name := v.Site.Name + v.Group.Name; name != "" {
		v.Title = name
	}
	v.Errors = errs
	status := http.StatusOK
	if len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "places", part, v)
}

func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ';' })
}

func (s *Server) saveSite(w http.ResponseWriter, r *http.Request) {
	v := placesView{Site: Site{ID: r.PostFormValue("id"), Name: strings.TrimSpace(r.PostFormValue("name")), Assembly: lines(r.PostFormValue("assembly")),
		Zone: r.PostFormValue("zone"), Emergency: strings.TrimSpace(r.PostFormValue("emergency"))}}
	err := s.People.SaveSite(r.Context(), principalOf(r.Context()), v.Site)
	if errs := faults(err); errs != nil {
		s.showPlace(w, r, "site", "Site", v, errs)
		return
	}
	s.back(w, r, "site", "/sites?done=saved", err)
}

func (s *Server) deleteSite(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "site", "/sites?done=deleted", s.People.DeleteSite(r.Context(), principalOf(r.Context()), r.PostFormValue("id")))
}

func (s *Server) groupsPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "places", "groups", placesView{page: s.page(r, "Groups"), Groups: s.People.AllGroups(r.Context())})
}

func (s *Server) groupPage(w http.ResponseWriter, r *http.Request) {
	v := placesView{Choices: s.People.GroupChoices(r.Context()), Group: Group{ByRule: r.URL.Query().Get("by") == "rule"}}
	if id := r.URL.Query().Get("id"); id != "" {
		g, members, err := s.People.Group(r.Context(), principalOf(r.Context()), id)
		if err != nil {
			s.fail(w, r, "group", err)
			return
		}
		v.Group, v.Members = g, members
	}
	s.showPlace(w, r, "group", "New group", v, nil)
}

func (s *Server) saveGroup(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, "group", err)
		return
	}
	g := Group{ID: r.PostFormValue("id"), Name: strings.TrimSpace(r.PostFormValue("name")), ByRule: r.PostFormValue("by") == "rule"}
	if g.ByRule {
		g.Sites, g.Departments, g.Shifts, g.Titles = r.PostForm["site"], r.PostForm["department"], r.PostForm["shift"], r.PostForm["title"]
		g.Numbers = list(r.PostFormValue("under"))
	} else {
		g.Numbers = list(r.PostFormValue("people"))
	}
	id, err := s.People.SaveGroup(r.Context(), principalOf(r.Context()), g)
	if errs := faults(err); errs != nil {
		s.showPlace(w, r, "group", "New group", placesView{Choices: s.People.GroupChoices(r.Context()), Group: g}, errs)
		return
	}
	s.back(w, r, "group", "/groups/edit?id="+id+"&done=saved", err)
}

func (s *Server) deleteGroup(w http.ResponseWriter, r *http.Request) {
	err := s.People.DeleteGroup(r.Context(), principalOf(r.Context()), r.PostFormValue("id"))
	if errors.Is(err, ErrNotFound) {
		err = nil // gone already
	}
	s.back(w, r, "group", "/groups?done=deleted", err)
}

// Ticked reports whether a value of a rule was ticked.
func (v placesView) Ticked(chosen []string, name string) bool {
	return slices.ContainsFunc(chosen, func(c string) bool { return strings.EqualFold(c, name) })
}

// Numbers writes employee numbers back into their field.
func (v placesView) Numbers() string { return strings.Join(v.Group.Numbers, " ") }

// Assembly writes assembly points back into their field, one a line.
func (v placesView) Assembly() string { return strings.Join(v.Site.Assembly, "\n") }

// membersShown is how many names of a group a page lists.
const membersShown = 200

// ShownMembers are the names that the page lists.
func (v placesView) ShownMembers() []Name { return v.Members[:min(len(v.Members), membersShown)] }

// RuleWords say by what the people of a group are found.
func (p page) RuleWords(g Group) string {
	var parts []string
	for _, values := range [][]string{g.Sites, g.Departments, g.Shifts, g.Titles} {
		if len(values) > 0 {
			parts = append(parts, strings.Join(values, " / "))
		}
	}
	if len(g.Numbers) > 0 {
		parts = append(parts, p.T("everybody under %s", strings.Join(g.Numbers, ", ")))
	}
	return strings.Join(parts, " + ")
}

// rulePart is a list of values that a rule can ask for.
type rulePart struct {
	View         placesView
	Name, Legend string
	Chosen       []string
	Values       []Choice
}

// RuleParts are the kinds of values a rule can ask for.
func (v placesView) RuleParts() []rulePart {
	return []rulePart{
		{v, "site", v.T("Sites"), v.Group.Sites, v.Choices.Sites}, {v, "department", v.T("Departments"), v.Group.Departments, v.Choices.Departments},
		{v, "shift", v.T("Shifts"), v.Group.Shifts, v.Choices.Shifts}, {v, "title", v.T("Job titles"), v.Group.Titles, v.Choices.Titles},
	}
}

// ZoneName is a time zone by the name people use.
func (p page) ZoneName(zone string) string {
	for i := 0; i+1 < len(zones); i += 2 {
		if zones[i] == zone {
			return zones[i+1]
		}
	}
	return zone
}
