package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routePeople() {
	s.on("GET /people", to(See).notes(announcement.PeopleListed), s.peoplePage)
	s.on("POST /people/leave", to(Keep).notes(announcement.PeopleLeft), s.letLeave)
	s.on("GET /people/new", to(Keep).notesNothing(oneForm), s.newPersonPage)
	s.on("POST /people/new", to(Keep).notes(announcement.PersonChanged), s.savePerson)
	s.on("GET /person/{number}", to(See).notes(announcement.PersonViewed), s.personPage)
	s.on("POST /person/{number}", to(Keep).notes(announcement.PersonChanged), s.savePerson)
	s.on("POST /person/{number}/invite", to(Keep).notes(announcement.PersonInvited), s.invite)
	s.on("POST /person/{number}/disconnect", to(Keep).notes(announcement.PhonesShutOut), s.disconnectPhones)
	s.on("POST /person/{number}/away", to(Keep).notes(announcement.PersonChanged), s.setAway)
	s.on("POST /person/{number}/number", to(Keep).notes(announcement.NumberCleared), s.clearNumber)
}

// peopleShown is how many people a page lists.
const peopleShown = 50

// troubleWords name what should be mended about people.
var troubleWords = map[string]string{
	"unreachable": "Unreachable", "wrong_number": "Wrong number", "sms_stopped": "SMS stopped", "stale": "Phone silent",
	"no_manager": "No manager", "shared": "Shared number", "left": "Left",
}

// troubleIcons are their pictures.
var troubleIcons = map[string]string{
	"unreachable": "phone-off", "wrong_number": "triangle-alert", "sms_stopped": "ban", "stale": "clock", "no_manager": "circle-question-mark", "shared": "users", "left": "door-open",
}

type peopleView struct {
	page
	PeoplePage
	Filter PeopleFilter
	Held   HeldBack
}

func (s *Server) peoplePage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := peopleView{page: s.page(r, "People"), Filter: PeopleFilter{Search: strings.TrimSpace(q.Get("q")), Site: q.Get("site"), Trouble: q.Get("only"), Limit: peopleShown}}
	v.Filter.Offset, _ = strconv.Atoi(q.Get("offset"))
	v.Filter.Offset = max(v.Filter.Offset, 0)
	v.Held = s.People.HeldBack(r.Context(), principalOf(r.Context()))
	var err error
	if v.PeoplePage, err = s.People.People(r.Context(), principalOf(r.Context()), v.Filter); err != nil {
		s.fail(w, r, "people", err)
		return
	}
	noting(r.Context()).Count = len(v.PeoplePage.People)
	s.show(w, r, http.StatusOK, "people", "people", v)
}

// HeldMore reports whether there may be more people than are named.
func (v peopleView) HeldMore() bool { return len(v.Held.People) >= 50 }

// letLeave allows an identity provider to take out those who were held back.
func (s *Server) letLeave(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "let people leave", "/people?done=saved", s.People.LetLeave(r.Context(), principalOf(r.Context())))
}

// chip is a filter with its number of people.
type chip struct {
	Key, Label, Icon, Link string
	People                 int
	On                     bool
}

// Chips are the filters that find somebody, and the one that is on.
func (v peopleView) Chips() []chip {
	var out []chip
	for _, key := range []string{"unreachable", "wrong_number", "sms_stopped", "stale", "no_manager", "shared", "left"} {
		n, on := v.Troubles[key], v.Filter.Trouble == key
		if n == 0 && !on {
			continue
		}
		f := v.Filter
		f.Trouble, f.Offset = key, 0
		if on {
			f.Trouble = ""
		}
		out = append(out, chip{key, v.T(troubleWords[key]), troubleIcons[key], f.link(), n, on})
	}
	return out
}

func (f PeopleFilter) link() string {
	q := url.Values{}
	for key, value := range map[string]string{"q": f.Search, "site": f.Site, "only": f.Trouble} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Offset > 0 {
		q.Set("offset", strconv.Itoa(f.Offset))
	}
	if len(q) == 0 {
		return "/people"
	}
	return "/people?" + q.Encode()
}

// NextLink and BackLink are the pages before and after.
func (v peopleView) NextLink() string {
	f := v.Filter
	f.Offset = *v.Next
	return f.link()
}

// BackLink is the page before, or nothing.
func (v peopleView) BackLink() string {
	if v.Filter.Offset == 0 {
		return ""
	}
	f := v.Filter
	f.Offset = max(0, f.Offset-peopleShown)
	return f.link()
}

// Filtered reports whether not everybody is meant.
func (v peopleView) Filtered() bool {
	return v.Filter.Search != "" || v.Filter.Site != "" || v.Filter.Trouble != ""
}

// First and Last are the places of those on the page.
func (v peopleView) First() int { return v.Filter.Offset + 1 }

// Last is the place of the last person on the page.
func (v peopleView) Last() int { return v.Filter.Offset + len(v.People) }

// Masked is a number by which people recognise it and nobody else can call it.
func (p page) Masked(number string) string {
	if len(number) < 9 {
		return number
	}
	return number[:len(number)-7] + "••••" + number[len(number)-3:]
}

// way is a channel with its state, as a picture and words.
type way struct {
	Icon, Label, Class string
}

// Ways are how a person is reached, or why not.
func (p page) Ways(who Person) []way {
	var out []way
	for _, c := range who.Channels {
		switch c {
		case announcement.WebPush:
			out = append(out, way{"bell", p.T("Push"), "good"})
		case announcement.SMS:
			out = append(out, way{"message-square", "SMS", "good"})
		}
	}
	for _, t := range who.Troubles {
		if t != "left" {
			out = append(out, way{troubleIcons[t], p.T(troubleWords[t]), "bad"})
		}
	}
	if who.Landline {
		out = append(out, way{"phone", p.T("Landline"), "bad"})
	}
	return out
}

type staffView struct {
	page
	Person Person
	New    bool
	Values map[string]string // of the form
	Sites  []Site
}

// personFields are what can be edited, in the order of the form.
var personFields = []string{"display_name", "given_name", "mobile_phone", "email", "locale", "site", "department", "job_title", "shift", "manager_id", "timezone"}

func (v staffView) Fields() []string { return personFields }

// Languages are those a person's texts can be in.
func (v staffView) Languages() []option {
	out := options(v.Values["locale"], "id", "Bahasa Indonesia", "en", "English")
	for _, o := range out {
		if o.On {
			return out
		}
	}
	if own := v.Values["locale"]; own != "" {
		out = append(out, option{own, v.LanguageName(announcement.Language(own)), true})
	}
	return out
}

func valuesOf(p Person) map[string]string {
	return map[string]string{
		"employee_id": p.Number, "display_name": p.Name.Name, "given_name": p.Given, "mobile_phone": p.Mobile, "email": p.Email, "locale": string(p.Language),
		"site": p.Site, "department": p.Department, "job_title": p.Title, "shift": p.Shift, "manager_id": p.ManagerNumber, "timezone": p.Zone,
		"active": strconv.FormatBool(p.Active),
	}
}

func (s *Server) newPersonPage(w http.ResponseWriter, r *http.Request) {
	s.showPerson(w, r, staffView{New: true, Values: map[string]string{"locale": string(s.language(r)), "active": "true"}}, nil)
}

func (s *Server) personPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.People.Person(r.Context(), principalOf(r.Context()), r.PathValue("number"))
	if err != nil {
		s.fail(w, r, "person", err)
		return
	}
	s.showPerson(w, r, staffView{Person: p, Values: valuesOf(p)}, nil)
}

func (s *Server) showPerson(w http.ResponseWriter, r *http.Request, v staffView, errs announcement.FieldErrors) {
	v.page, v.Sites = s.page(r, "Add a person"), s.People.AllSites(r.Context())
	if !v.New {
		v.Title = v.Person.Name.Name
	}
	v.Errors = errs
	status := http.StatusOK
	if len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "people", "person", v)
}

func personPath(number string) string { return "/person/" + url.PathEscape(number) }

func (s *Server) savePerson(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	v := staffView{New: number == "", Values: map[string]string{}}
	for _, key := range append([]string{"employee_id", "active"}, personFields...) {
		if r.PostForm == nil {
			_ = r.ParseForm()
		}
		if r.PostForm.Has(key) {
			v.Values[key] = r.PostFormValue(key)
		}
	}
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if !v.New {
		p, err := s.People.Person(r.Context(), principalOf(r.Context()), number)
		if err != nil {
			s.fail(w, r, "person", err)
			return
		}
		v.Person, v.Values["employee_id"] = p, p.Number
		v.Person.Version = version
		v.Values["active"] = strconv.FormatBool(r.PostFormValue("active") == "true")
	}
	err := s.People.SavePerson(r.Context(), principalOf(r.Context()), v.Values, version)
	if errors.Is(err, ErrConflict) {
		err = fault("display_name", "Somebody else changed this person a moment ago. Open the page again and look before you save.")
	}
	if errs := faults(err); errs != nil {
		s.showPerson(w, r, v, errs)
		return
	}
	s.back(w, r, "person", personPath(strings.TrimSpace(v.Values["employee_id"]))+"?done=saved", err)
}

func (s *Server) invite(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	err := s.People.Invite(r.Context(), principalOf(r.Context()), number)
	s.personAct(w, r, number, "invited", err)
}

func (s *Server) disconnectPhones(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	err := s.People.DisconnectPhones(r.Context(), principalOf(r.Context()), number)
	s.personAct(w, r, number, "shutout", err)
}

// setAway says when a person is away. What was typed stays on the page when it is wrong.
func (s *Server) setAway(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	from, to, delegate := short(r.PostFormValue("from")), short(r.PostFormValue("to")), short(r.PostFormValue("delegate"))
	err := s.People.SetAway(r.Context(), principalOf(r.Context()), number, from, to, delegate)
	if errs := faults(err); errs != nil {
		p, perr := s.People.Person(r.Context(), principalOf(r.Context()), number)
		if perr == nil {
			v := staffView{Person: p, Values: valuesOf(p)}
			v.Person.AwayFrom, v.Person.AwayTo, v.Person.StandIn = from, to, Name{Number: delegate}
			s.showPerson(w, r, v, errs)
			return
		}
		err = perr
	}
	s.personAct(w, r, number, "saved", err)
}

func (s *Server) clearNumber(w http.ResponseWriter, r *http.Request) {
	number := r.PathValue("number")
	err := s.People.ClearNumber(r.Context(), principalOf(r.Context()), number)
	s.personAct(w, r, number, "saved", err)
}

// personAct ends an act about a person where it began.
func (s *Server) personAct(w http.ResponseWriter, r *http.Request, number, done string, err error) {
	if errs := faults(err); errs != nil {
		p, perr := s.People.Person(r.Context(), principalOf(r.Context()), number)
		if perr != nil {
			s.fail(w, r, "person", perr)
			return
		}
		s.showPerson(w, r, staffView{Person: p, Values: valuesOf(p)}, errs)
		return
	}
	s.back(w, r, "person", fmt.Sprintf("%s?done=%s", personPath(number), done), err)
}
