package web

import (
	"errors"
	"net/http"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routeApproval() {
	s.on("POST /alerts/{id}/approve", to(Approve).notesNothing(inTheDesk), s.approve)
	s.on("POST /alerts/{id}/reject", to(Approve).notesNothing(inTheDesk), s.reject)
	s.on("POST /alerts/{id}/anyway", to(Announce).notesNothing(inTheDesk), s.sendAlone)
}

// awaitingView is an alert that a second person has to look at: the very words, to how
// many people, and what may be decided by whoever looks.
type awaitingView struct {
	composeView
	Waiting   Countdown
	MayDecide bool // approves or rejects
	Own       bool // wrote it
	MayAlone  bool // has waited for long enough
	Why       string
}

// WhyApproval says why somebody else has to look at it.
func (v composeView) WhyApproval() string {
	switch v.Preview.Approval {
	case "many":
		return v.T("So many people are alerted by two of us together.")
	case "everybody":
		return v.T("The whole company is alerted by two of us together.")
	}
	return v.T("Words that nobody has prepared are looked at by two of us.")
}

// Seconds names those who may approve.
func (v composeView) Seconds() string { return strings.Join(v.Preview.Approvers, ", ") }

// Waits reports whether it waits for a second person.
func (v countdownView) Waits() bool { return v.Status == announcement.StatusAwaiting }

// MayApprove reports whether the reader is one who may be that.
func (v countdownView) MayApprove() bool { return v.Approves() && v.reader != v.Author }

// showAwaiting shows it with what is wrong with the form.
func (s *Server) showAwaiting(w http.ResponseWriter, r *http.Request, c Countdown, errs announcement.FieldErrors) {
	who := principalOf(r.Context())
	refused := errs != nil
	p, err := s.Desk.Awaited(r.Context(), c.ID)
	if bad := faults(err); bad != nil { // it cannot go out as it is, and can still be rejected or cancelled
		p.Announcement.Severity, p.Announcement.Text, p.Approvers, errs = c.Severity, c.Text, c.Approvers, append(errs, bad...)
	} else if err != nil {
		s.fail(w, r, "approve", err)
		return
	}
	v := awaitingView{composeView: composeView{page: s.page(r, ""), composing: composing{Draft: c.Draft}, Preview: p}, Waiting: c,
		Own: who.Actor == c.Author, MayAlone: !s.Now().Before(c.AloneAt), Why: short(r.PostFormValue("reason"))}
	v.MayDecide = who.May(Approve) && !v.Own
	for _, t := range s.Desk.Templates() {
		if t.Key == c.Draft.Template {
			v.Template = t
		}
	}
	v.Title = v.T("Waiting for a second person") + " - " + v.Subject()
	status := http.StatusOK
	if v.Errors = errs; refused {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "new", "awaiting", v)
}

// decided ends a form about an alert that waits.
func (s *Server) decided(w http.ResponseWriter, r *http.Request, step string, err error) {
	id := announcement.ID(r.PathValue("id"))
	switch errs := faults(err); {
	case errs != nil:
		c, cerr := s.boards(r.Context()).Countdown(r.Context(), id)
		if cerr == nil && c.Status == announcement.StatusAwaiting {
			s.showAwaiting(w, r, c, errs)
			return
		}
		err = cerr
	case errors.Is(err, ErrClosed): // taken back, edited or decided meanwhile: its page says how
		http.Redirect(w, r, "/alerts/"+string(id)+"?done=decided-before", http.StatusSeeOther)
		return
	}
	s.back(w, r, step, "/alerts/"+string(id), err)
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("understand") != "1" {
		s.decided(w, r, "approve", fault("understand", "Tick that you understand how many people this will alert."))
		return
	}
	s.decided(w, r, "approve", s.Desk.Approve(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), r.PostFormValue("print")))
}

func (s *Server) reject(w http.ResponseWriter, r *http.Request) {
	s.decided(w, r, "reject", s.Desk.Reject(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), r.PostFormValue("reason")))
}

func (s *Server) sendAlone(w http.ResponseWriter, r *http.Request) {
	s.decided(w, r, "send alone", s.Desk.SendAlone(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), r.PostFormValue("reason")))
}
