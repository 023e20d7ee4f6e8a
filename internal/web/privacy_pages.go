package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"kentongan/internal/announcement"
)

func (s *Server) routePrivacy() {
	s.on("GET /me/data", byDevice, s.myData)
	s.on("GET /me/data.json", byDevice, s.myDataFile)
	s.on("POST /me/data/places", byDevice, s.myPlacesGone)
	s.on("GET /person/{number}/data", to(Administer).notes(announcement.PeopleExported), s.dataPage)
	s.on("GET /person/{number}/data.json", to(Administer).notes(announcement.PeopleExported), s.dataFile)
	s.on("POST /person/{number}/erase", to(Administer).notes(announcement.Erased), s.erasePerson)
	s.on("GET /retention", to(Administer, Audit, Operate).notesNothing(showsCounts), s.retention)
}

// dataView is what is kept about a person, for them or for an administrator.
type dataView struct {
	page
	Data PersonalData
	Mine bool
	Last []HeldAlert // the newest of Data.Alerts: the file has all of them
}

// shownAlerts is how many alerts a page of somebody's data lists.
const shownAlerts = 20

// Places reports whether a place of theirs is kept.
func (v dataView) Places() bool {
	for _, a := range v.Data.Alerts {
		for _, w := range a.Words {
			if w.Place != "" && !w.Others {
				return true
			}
		}
	}
	return false
}

// Said is how somebody answered, in words.
func (v dataView) Said(a HeldAlert) string {
	if a.Answer == 0 {
		return v.T("No answer")
	}
	return v.T(answerWords(a.Answers, a.Answer))
}

// Did is what somebody looked at, in words.
func (v dataView) Did(l Look) string {
	return v.T(cmp.Or(lookWords[l.What], actWords[announcement.Act(l.What)]))
}

// lookWords say what somebody looked at or did, for the person whom it was about, where
// the words of the trail would not do.
var lookWords = map[string]string{
	string(announcement.PersonViewed): "opened your page", string(announcement.NumberShown): "saw your number",
	string(announcement.TextViewed): "read a text of yours", string(announcement.PhotoViewed): "saw a photo of yours",
	string(announcement.PeopleExported): "took out your data", string(announcement.RecipientsViewed): "saw how you answered",
	string(announcement.PersonChanged): "changed your entry", string(announcement.PersonInvited): "sent you a link to join",
	string(announcement.NumberCleared): "said that your number is right", string(announcement.PhonesShutOut): "shut out your phones",
	string(announcement.PeopleProvision): "changed your entry", string(announcement.Erased): "erased your data",
}

func (s *Server) dataView(r *http.Request, d PersonalData, mine bool) dataView {
	v := dataView{page: s.page(r, "What we hold about you"), Data: d, Mine: mine, Last: d.Alerts[:min(len(d.Alerts), shownAlerts)]}
	v.page.Zone = d.Zone
	if mine {
		v.page.Lang = s.readersLanguage(r, d.Language)
		v.Title, v.Notice = v.T("What we hold about you"), v.T(notices[v.query.Get("done")])
	} else {
		v.Title = d.Name
	}
	return v
}

func (s *Server) myData(w http.ResponseWriter, r *http.Request) {
	d, err := s.Privacy.MyData(r.Context(), device(r))
	if err != nil {
		s.failUnknown(w, r, "my data", err, notConnected)
		return
	}
	s.show(w, r, http.StatusOK, "privacy", "mydata", s.dataView(r, d, true))
}

func (s *Server) myDataFile(w http.ResponseWriter, r *http.Request) {
	d, err := s.Privacy.MyData(r.Context(), device(r))
	if err != nil {
		s.failUnknown(w, r, "my data", err, notConnected)
		return
	}
	s.sendData(w, r, d)
}

func (s *Server) sendData(w http.ResponseWriter, r *http.Request, d PersonalData) {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		s.fail(w, r, "data", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="kentongan-data.json"`)
	_, _ = w.Write(b)
}

func (s *Server) myPlacesGone(w http.ResponseWriter, r *http.Request) {
	if err := s.Privacy.MyPlacesGone(r.Context(), device(r)); err != nil {
		s.failUnknown(w, r, "my places", err, notConnected)
		return
	}
	http.Redirect(w, r, "/me/data?done=place-gone", http.StatusSeeOther)
}

func (s *Server) dataPage(w http.ResponseWriter, r *http.Request) {
	s.showData(w, r, nil)
}

func (s *Server) showData(w http.ResponseWriter, r *http.Request, errs announcement.FieldErrors) {
	if len(errs) > 0 { // the page comes in answer to a form, whose route notes something else
		on := Noted{About: announcement.About{By: "console"}, Number: r.PathValue("number"), Recipient: -1}
		if err := s.Trail.Note(r.Context(), principalOf(r.Context()).Actor, announcement.PeopleExported, on); err != nil {
			s.fail(w, r, "note an act", err)
			return
		}
	}
	d, err := s.Privacy.DataOf(r.Context(), principalOf(r.Context()), r.PathValue("number"))
	if err != nil {
		s.fail(w, r, "data", err)
		return
	}
	v, status := s.dataView(r, d, false), http.StatusOK
	if v.Errors = errs; len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "privacy", "data", v)
}

func (s *Server) dataFile(w http.ResponseWriter, r *http.Request) {
	d, err := s.Privacy.DataOf(r.Context(), principalOf(r.Context()), r.PathValue("number"))
	if err != nil {
		s.fail(w, r, "data", err)
		return
	}
	s.sendData(w, r, d)
}

func (s *Server) erasePerson(w http.ResponseWriter, r *http.Request) {
	err := s.Privacy.Erase(r.Context(), principalOf(r.Context()), r.PathValue("number"), r.PostFormValue("typed"))
	if errs := faults(err); errs != nil {
		s.showData(w, r, errs)
		return
	}
	s.back(w, r, "erase", "/retention?done=erased", err)
}

type retentionView struct {
	page
	Retention
}

// Named is a kind of thing in words.
func (v retentionView) Named(kind string) string {
	for _, h := range v.Kinds {
		if h.Kind == kind {
			return v.T(h.Holds)
		}
	}
	return kind
}

// Today is the last round, the zero Sweep before the first.
func (v retentionView) Today() Sweep {
	if len(v.Sweeps) == 0 {
		return Sweep{}
	}
	return v.Sweeps[0]
}

// Lately are the rounds of the last two weeks.
func (v retentionView) Lately() []Sweep {
	n := 0
	for n < len(v.Sweeps) && v.Now.Sub(v.Sweeps[n].At) < 14*24*time.Hour {
		n++
	}
	return v.Sweeps[:n]
}

func (s *Server) retention(w http.ResponseWriter, r *http.Request) {
	kept, err := s.Privacy.Kept(r.Context())
	if err != nil {
		s.fail(w, r, "retention", err)
		return
	}
	s.show(w, r, http.StatusOK, "privacy", "retention", retentionView{s.page(r, "What is kept how long"), kept})
}
