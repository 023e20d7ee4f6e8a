package web

import (
	"bytes"
	"io"
	"net/http"
)

func (s *Server) routePeople(mux *http.ServeMux) {
	mux.HandleFunc("GET /people", s.signedIn(s.peoplePage))
	mux.HandleFunc("POST /people", s.signedIn(s.importPeople))
}

type peopleView struct {
	page
	Ready  Readiness
	Report *ImportReport
	CSV    string // the checked file, carried to the second press
}

func (s *Server) peoplePage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "people", "people", peopleView{page: s.page(r, "People"), Ready: s.Desk.Readiness(r.Context())})
}

// importPeople checks a file first and imports it on the second press. The file
// travels back in the page, so that no half-checked list of people is kept.
func (s *Server) importPeople(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(maxImportBody); err != nil {
		s.fail(w, r, "import", fault("file", "Choose a CSV file."))
		return
	}
	csv := []byte(r.PostFormValue("csv"))
	if f, _, err := r.FormFile("file"); err == nil {
		defer f.Close()
		if csv, err = io.ReadAll(f); err != nil {
			s.fail(w, r, "import", err)
			return
		}
	}
	if len(csv) == 0 {
		s.fail(w, r, "import", fault("file", "Choose a CSV file."))
		return
	}
	dry := r.PostFormValue("import") != "1"
	report, err := s.People.Import(r.Context(), principalOf(r.Context()), bytes.NewReader(csv), dry)
	if err != nil {
		s.fail(w, r, "import", err)
		return
	}
	v := peopleView{page: s.page(r, "People"), Ready: s.Desk.Readiness(r.Context()), Report: &report}
	status := http.StatusOK
	if len(report.Errors) > 0 {
		status = http.StatusUnprocessableEntity
	} else if dry {
		v.CSV = string(csv)
	}
	s.show(w, r, status, "people", "people", v)
}
