package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Text is an SMS that waits for a person.
type Text struct {
	ID    string
	At    time.Time
	From  string // E.164, or what the sender claims to be
	Names []Name // whose number it is; empty for a stranger
	Body  string
	Help  bool // may be a call for help

	Kind, Where string // of an emergency that was reported on a person's own page
	Photo       bool   // comes with it

	Assigned bool   // somebody in HR said whose it is
	Mobile   string // the number on file of whom it was assigned to, where it is another
}

func (s *Server) routeInbox() {
	s.on("GET /inbox", to(Call).notes(announcement.TextViewed), s.inboxPage)
	s.on("GET /inbox/{id}", to(Call).notes(announcement.TextViewed), s.textPage)
	s.on("POST /inbox/{id}", to(Call).notes(announcement.TextHandled), s.handleText)
	s.on("POST /inbox/{id}/person", to(Call).notes(announcement.TextHandled), s.assignText)
}

// waiting is the texts that wait for a person.
type waiting struct{ Texts []Text }

// Asking is how many of the waiting texts may be calls for help.
func (v waiting) Asking() int {
	n := 0
	for _, t := range v.Texts {
		if t.Help {
			n++
		}
	}
	return n
}

type inboxView struct {
	page
	waiting
}

func (s *Server) inboxPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "inbox", "inbox", inboxView{page: s.page(r, "SMS inbox"), waiting: waiting{s.boards(r.Context()).Inbox(r.Context())}})
}

// letter is one text with the page around it.
type letter struct {
	page
	Text
}

// Letter puts a text on this page.
func (p page) Letter(t Text) letter { return letter{p, t} }

// candidate is somebody whose text it may be.
type candidate struct {
	page
	Name
	Of string // the text
}

// Candidate is somebody whose text it may be.
func (v textView) Candidate(n Name) candidate { return candidate{v.page, n, v.Text.ID} }

// inboxFound is how many people a search for the sender of a text shows.
const inboxFound = 20

type textView struct {
	page
	Text  Text
	Query string
	Found PeoplePage
}

// textPage asks whose text it is.
func (s *Server) textPage(w http.ResponseWriter, r *http.Request) {
	s.showText(w, r, nil)
}

func (s *Server) showText(w http.ResponseWriter, r *http.Request, errs announcement.FieldErrors) {
	t, err := s.boards(r.Context()).WaitingText(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, "text", err)
		return
	}
	v := textView{page: s.page(r, "Whose text is this?"), Text: t, Query: strings.TrimSpace(r.FormValue("q"))}
	if v.Query != "" {
		if v.Found, err = s.People.People(r.Context(), principalOf(r.Context()), PeopleFilter{Search: v.Query, Limit: inboxFound}); err != nil {
			s.fail(w, r, "find people", err)
			return
		}
	}
	status := http.StatusOK
	if v.Errors = errs; len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "inbox", "text", v)
}

func (s *Server) handleText(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "handle text", "/inbox?done=handled", s.Desk.HandleText(r.Context(), principalOf(r.Context()), r.PathValue("id")))
}

// assignText says whose text it is, and shows where it went.
func (s *Server) assignText(w http.ResponseWriter, r *http.Request) {
	number := strings.TrimSpace(r.PostFormValue("person"))
	if number == "" {
		s.showText(w, r, fault("q", "Choose a person."))
		return
	}
	id, index, err := s.Desk.AssignText(r.Context(), principalOf(r.Context()), r.PathValue("id"), number)
	if errs := faults(err); errs != nil {
		s.showText(w, r, fault("q", "Nobody has this employee number."))
		return
	}
	path := "/inbox?done=assigned"
	if id != "" {
		path = fmt.Sprintf("/alerts/%s/people/%d?done=filed", id, index)
	}
	s.back(w, r, "assign text", path, err)
}
