package web

import (
	"html/template"
	"net/http"
	"strings"
)

func (s *Server) routeCrew() { s.on("GET /me/team", byDevice.notesNothing(inTheDesk), s.crew) }

type crewView struct {
	page
	Crew
	Address string // as a person types it
	code    template.HTML
}

// QR is the address at which people connect their phones.
func (v crewView) QR() template.HTML { return v.code }

// crew is the enrolment board: the manager holds it up at a meeting, people scan
// it, and their names tick.
func (s *Server) crew(w http.ResponseWriter, r *http.Request) {
	crew, err := s.Phone.Crew(r.Context(), device(r))
	if err != nil {
		s.failPhone(w, r, "enrolment board", err)
		return
	}
	address := strings.TrimSuffix(s.PublicURL, "/") + "/j"
	code, err := qrCode(address)
	if err != nil {
		s.failPhone(w, r, "enrolment board", err)
		return
	}
	_, plain, _ := strings.Cut(address, "://")
	v := crewView{page: s.page(r, ""), Crew: crew, Address: plain, code: code}
	v.Lang = s.readersLanguage(r, crew.Language)
	v.Title = v.T("Connect my team")
	s.show(w, r, http.StatusOK, "crew", "crew", v)
}
