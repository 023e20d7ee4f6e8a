package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

func (s *Server) routePeople(mux *http.ServeMux) {
	mux.HandleFunc("GET /people", s.signedIn(s.peoplePage))
	mux.HandleFunc("POST /people", s.signedIn(s.importPeople))
}

// importLife is how long a checked file waits for the second press.
const importLife = time.Hour

type peopleView struct {
	page
	Ready   Readiness
	Report  *ImportReport
	Checked string // the checked file, sealed, for the second press
}

func (s *Server) peoplePage(w http.ResponseWriter, r *http.Request) {
	s.showPeople(w, r, peopleView{})
}

// importPeople checks a file first and imports it on the second press. The file
// travels back in the page, sealed and byte for byte, so that what is imported
// is what was checked and no list of people is kept in between.
func (s *Server) importPeople(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(maxImportBody); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.fail(w, r, "import", err)
			return
		}
		s.refuseFile(w, r, "Choose a CSV file.")
		return
	}
	defer r.MultipartForm.RemoveAll()
	var v peopleView
	var csv []byte
	checked := r.PostFormValue("checked")
	if checked != "" {
		var ok bool
		if csv, ok = s.seal.bytes("import", checked); !ok {
			s.refuseFile(w, r, "The checked file is too old. Choose it again.")
			return
		}
	} else {
		f, _, err := r.FormFile("file")
		if err != nil {
			s.refuseFile(w, r, "Choose a CSV file.")
			return
		}
		defer f.Close()
		if csv, err = io.ReadAll(io.LimitReader(f, maxImportBody+1)); err != nil {
			s.fail(w, r, "import", err)
			return
		}
		switch {
		case len(csv) == 0:
			s.refuseFile(w, r, "The file is empty.")
			return
		case len(csv) > maxImportBody:
			s.refuseFile(w, r, "The file is larger than 10 MB.")
			return
		}
	}
	report, err := s.People.Import(r.Context(), principalOf(r.Context()), bytes.NewReader(csv), checked == "")
	if err != nil {
		s.fail(w, r, "import", err)
		return
	}
	v.Report = &report
	if checked == "" && len(report.Errors) == 0 {
		v.Checked = s.seal.putBytes("import", csv, importLife)
	}
	s.showPeople(w, r, v)
}

func (s *Server) refuseFile(w http.ResponseWriter, r *http.Request, why string) {
	v := peopleView{}
	v.Errors = fault("file", why)
	s.showPeople(w, r, v)
}

func (s *Server) showPeople(w http.ResponseWriter, r *http.Request, v peopleView) {
	faults := v.Errors
	v.page, v.Ready = s.page(r, "People"), s.Desk.Readiness(r.Context())
	v.Errors = faults
	status := http.StatusOK
	if len(faults) > 0 || v.Report != nil && len(v.Report.Errors) > 0 {
		status = http.StatusUnprocessableEntity
		v.Title = v.T("Error:") + " " + v.Title
	}
	s.show(w, r, status, "people", "people", v)
}

// shownFaults is how many faulty cells a page lists: nobody mends more at once.
const shownFaults = 200

// Faults are the faulty cells that the page lists.
func (v peopleView) Faults() []RowError {
	return v.Report.Errors[:min(len(v.Report.Errors), shownFaults)]
}

// Warnings are the doubtful cells that the page lists.
func (v peopleView) Warnings() []RowError {
	return v.Report.Warnings[:min(len(v.Report.Warnings), shownFaults)]
}
