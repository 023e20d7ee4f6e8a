package web

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routeImport() {
	s.on("GET /people/import", to(Keep).notesNothing(oneForm), s.uploadPage)
	s.on("POST /people/import", to(Keep).notesNothing(uploading), s.upload)
	s.on("GET /people/import/{id}/columns", to(Keep).notesNothing(uploading), s.columnsPage)
	s.on("POST /people/import/{id}/columns", to(Keep).notesNothing(uploading), s.match)
	s.on("GET /people/import/{id}/check", to(Keep).notesNothing(uploading), s.checkPage)
	s.on("GET /people/import/{id}/faults.csv", to(Keep).notes(announcement.FaultsExported), s.faultsFile)
	s.on("GET /people/import/{id}/review", to(Keep).notesNothing(uploading), s.reviewPage)
	s.on("POST /people/import/{id}/review", to(Keep).notes(announcement.PeopleImported), s.applyImport)
	s.on("GET /people/import/{id}/going", to(Keep).notesNothing(partOfPage), s.importGoing)
	s.on("GET /people/imports/{done}", to(Keep).notesNothing(showsCounts), s.importedPage)
	s.on("POST /people/imports/{done}/undo", to(Keep).notes(announcement.ImportUndone), s.undoImport)
	s.on("GET /people/example.csv", to(Keep).notesNothing(nobodys), s.exampleFile)
}

// importView is one of the steps of an import.
type importView struct {
	page
	Step   string
	ID     string
	Upload Upload
	Check  ImportCheck
	Done   Imported
	going
	Past   []Imported
	Skip   bool
	Choice string // leave, whole
	Typed  string
}

func (s *Server) importView(r *http.Request, step string) importView {
	titles := map[string]string{"upload": "Import people", "columns": "Match the columns", "check": "Check the rows", "review": "Review the changes", "imported": "Imported"}
	return importView{page: s.page(r, titles[step]), Step: step, ID: r.PathValue("id"), Choice: "leave", Skip: r.URL.Query().Get("skip") == "1"}
}

func (s *Server) showImport(w http.ResponseWriter, r *http.Request, v importView, errs announcement.FieldErrors) {
	v.Errors = errs
	status := http.StatusOK
	if len(errs) > 0 {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "import", v.Step, v)
}

// step is one of the steps above the form.
func (v importView) Steps() []step {
	all := []step{{Name: "Upload"}, {Name: "Match"}, {Name: "Check"}, {Name: "Review"}, {Name: "Done"}}
	now := slices.Index([]string{"upload", "columns", "check", "review", "imported"}, v.Step)
	for i := range all {
		all[i].Now, all[i].Done = i == now, i < now
	}
	return all
}

func (s *Server) uploadPage(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "upload")
	v.Past = s.People.Imports(r.Context())
	v.Past = v.Past[:min(len(v.Past), 5)]
	s.showImport(w, r, v, nil)
}

func (s *Server) refuseFile(w http.ResponseWriter, r *http.Request, why string) {
	s.showImport(w, r, s.importView(r, "upload"), fault("file", why))
}

// upload takes the file. Everything after this is another page with an address of
// its own, so that going back and looking again cost nothing.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(maxImportBody); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.refuseFile(w, r, "The file is larger than 10 MB.")
			return
		}
		s.refuseFile(w, r, "Choose a CSV or Excel file.")
		return
	}
	defer r.MultipartForm.RemoveAll()
	f, header, err := r.FormFile("file")
	if err != nil {
		s.refuseFile(w, r, "Choose a CSV or Excel file.")
		return
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, maxImportBody+1))
	switch {
	case err != nil:
		s.fail(w, r, "import", err)
		return
	case len(file) == 0:
		s.refuseFile(w, r, "The file is empty.")
		return
	case len(file) > maxImportBody:
		s.refuseFile(w, r, "The file is larger than 10 MB.")
		return
	}
	id, err := s.People.Keep(r.Context(), principalOf(r.Context()), header.Filename, file)
	if errs := faults(err); errs != nil {
		s.showImport(w, r, s.importView(r, "upload"), errs)
		return
	}
	s.back(w, r, "import", "/people/import/"+id+"/columns", err)
}

// tooOld shows the first step again when an upload is no more, and how far its
// check is while that goes on.
func (s *Server) tooOld(w http.ResponseWriter, r *http.Request, err error) bool {
	var under *Underway
	switch {
	case err == nil:
		return false
	case errors.As(err, &under):
		v := s.importView(r, "check")
		v.going = going{v.T("Checking the rows"), under.Percent}
		s.showGoing(w, r, "import", "import-going", v)
	case errors.Is(err, ErrNotFound):
		s.refuseFile(w, r, "This upload is too old. Choose the file again.")
	default:
		s.fail(w, r, "import", err)
	}
	return true
}

func (s *Server) columnsPage(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "columns")
	var err error
	if v.Upload, err = s.People.Upload(r.Context(), v.ID); s.tooOld(w, r, err) {
		return
	}
	s.showImport(w, r, v, nil)
}

func (s *Server) match(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "columns")
	up, err := s.People.Upload(r.Context(), v.ID)
	if s.tooOld(w, r, err) {
		return
	}
	up.Columns = make([]string, len(up.Headings))
	for i := range up.Headings {
		up.Columns[i] = r.PostFormValue(fmt.Sprintf("c%d", i))
	}
	v.Upload = up
	err = s.People.Match(r.Context(), principalOf(r.Context()), v.ID, up.Columns)
	if errs := faults(err); errs != nil {
		s.showImport(w, r, v, errs)
		return
	}
	if s.tooOld(w, r, err) {
		return
	}
	http.Redirect(w, r, "/people/import/"+v.ID+"/check", http.StatusSeeOther)
}

func (s *Server) checkPage(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "check")
	var err error
	if v.Check, err = s.People.Check(r.Context(), v.ID, false, false); s.tooOld(w, r, err) {
		return
	}
	if len(v.Check.Errors) == 0 {
		http.Redirect(w, r, "/people/import/"+v.ID+"/review", http.StatusSeeOther)
		return
	}
	v.Title = v.T("Error:") + " " + v.Title
	s.show(w, r, http.StatusOK, "import", "check", v)
}

// columnNames say what a column of a file holds.
var columnNames = map[string]string{
	"employee_id": "Employee number", "display_name": "Name", "given_name": "Given name", "family_name": "Family name", "email": "E-mail",
	"mobile_phone": "Mobile number", "manager_id": "Manager", "site": "Site", "country": "Country", "timezone": "Time zone", "locale": "Language",
	"department": "Department", "job_title": "Job title", "shift": "Shift", "active": "Works here",
}

// ColumnName is what a column holds, in the reader's words.
func (p page) ColumnName(key string) string { return p.T(columnNames[key]) }

// shownFaults is how many faulty rows a page lists: nobody mends more at once.
const shownFaults = 200

// match is one column of the file to be matched.
type matching struct {
	Field, Heading string
	Samples        []string
	Kind           string
}

// Matchings are the columns of the file with what they hold.
func (v importView) Matchings() []matching {
	out := make([]matching, len(v.Upload.Headings))
	for i, h := range v.Upload.Headings {
		out[i] = matching{Field: fmt.Sprintf("c%d", i), Heading: h, Samples: v.Upload.Samples[i], Kind: v.Upload.Columns[i]}
	}
	return out
}

// Columns are those of the table of faulty rows: by which people recognise a row,
// and those with faults.
func (v importView) Columns() []string {
	out := []string{"employee_id", "display_name", "mobile_phone", "site", "manager_id"}
	for _, row := range v.FaultyRows() {
		for key := range row.Problems {
			if key != "" && !slices.Contains(out, key) {
				out = append(out, key)
			}
		}
	}
	slices.Sort(out[5:])
	return out
}

// FaultyRows are the faulty rows that the page lists: the first ones, and those
// that the summary links to.
func (v importView) FaultyRows() []FaultyRow {
	n := min(len(v.Check.Faulty), shownFaults)
	out := v.Check.Faulty[:n:n]
	for _, row := range v.Check.Faulty[n:] {
		if slices.ContainsFunc(v.Check.Sums, func(s FaultSum) bool { return s.First == row.Row }) {
			out = append(out, row)
		}
	}
	return out
}

// FaultyCount is how many rows are faulty.
func (v importView) FaultyCount() int { return v.Check.Rows - v.Check.Fine }

// sum is a line of the summary: how many cells of a column, and where the first is.
type sum struct{ Text, Anchor string }

// Sums say what is wrong, most first; each links to the first faulty cell.
func (v importView) Sums() []sum {
	var out []sum
	for _, of := range v.Check.Sums {
		key, n, text := of.Column, v.N(of.Rows), ""
		switch key {
		case "mobile_phone":
			text = v.T("Mend %s phone {number|numbers}", n)
		case "site":
			text = v.T("Choose a site for %s {person|people}", n)
		case "manager_id":
			text = v.T("Mend the manager of %s {person|people}", n)
		case "":
			text = v.T("Mend %s whole {row|rows}", n)
		default:
			text = v.T("Mend %s {cell|cells} of the column %s", n, v.ColumnName(key))
		}
		out = append(out, sum{text, v.CellID(of.First, key)})
	}
	return out
}

// CellID is the id of a faulty cell.
func (v importView) CellID(row int, key string) string { return fmt.Sprintf("r%d-%s", row, key) }

// faultsFile is the faulty rows with what is wrong, to mend and upload again.
func (s *Server) faultsFile(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "check")
	c, err := s.People.Check(r.Context(), v.ID, false, false)
	if s.tooOld(w, r, err) {
		return
	}
	v.Check = c
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="errors.csv"`)
	out := csv.NewWriter(w)
	_, _ = io.WriteString(w, "\ufeff") // without it Excel takes UTF-8 for Windows-1252
	columns := v.Columns()
	line := append([]string{v.T("Row")}, columns...)
	_ = out.Write(append(line, "error"))
	for _, row := range c.Faulty {
		line = []string{strconv.Itoa(row.Row)}
		var why []string
		for _, key := range columns {
			line = append(line, harmless(row.Cells[key]))
			if problem := row.Problems[key]; problem != "" {
				why = append(why, v.ColumnName(key)+": "+v.Say(problem))
			}
		}
		if problem := row.Problems[""]; problem != "" {
			why = append(why, v.Say(problem))
		}
		_ = out.Write(append(line, strings.Join(why, "; ")))
	}
	out.Flush()
}

// harmless keeps a cell from being run as a formula by the spreadsheet that opens it.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=@\t\r", rune(cell[0])) || len(cell) > 1 && strings.ContainsRune("+-", rune(cell[0])) && strings.Trim(cell[1:], "0123456789 -.") != "" {
		return "'" + cell
	}
	return cell
}

func (s *Server) reviewPage(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "review")
	var err error
	if v.Check, err = s.People.Check(r.Context(), v.ID, v.Skip, false); s.tooOld(w, r, err) {
		return
	}
	if len(v.Check.Errors) > 0 {
		http.Redirect(w, r, "/people/import/"+v.ID+"/check", http.StatusSeeOther)
		return
	}
	s.showImport(w, r, v, nil)
}

// applyImport imports, when whoever leaves has been counted by a person.
func (s *Server) applyImport(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "review")
	v.Choice, v.Typed, v.Skip = r.PostFormValue("missing"), strings.TrimSpace(r.PostFormValue("typed")), r.PostFormValue("skip") == "1"
	typed, err := strconv.Atoi(strings.NewReplacer(",", "", ".", "", " ", "").Replace(v.Typed))
	if err != nil {
		typed = -1
	}
	done, err := s.People.Apply(r.Context(), principalOf(r.Context()), v.ID, ImportChoice{SkipFaulty: v.Skip, Whole: v.Choice == "whole", Typed: typed})
	if errs := faults(err); errs != nil {
		if v.Check, err = s.People.Check(r.Context(), v.ID, v.Skip, false); s.tooOld(w, r, err) {
			return
		}
		s.showImport(w, r, v, errs)
		return
	}
	var under *Underway
	if errors.As(err, &under) {
		choice := url.Values{"missing": {v.Choice}}
		if v.Skip {
			choice.Set("skip", "1")
		}
		http.Redirect(w, r, "/people/import/"+v.ID+"/going?"+choice.Encode(), http.StatusSeeOther)
		return
	}
	if s.tooOld(w, r, err) {
		return
	}
	wasImported(w, r, done)
}

func wasImported(w http.ResponseWriter, r *http.Request, done string) {
	to := "/people/imports/" + done
	if done == "" {
		to = "/people?done=unchanged"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// importGoing shows how far the import of a large file is, and then what it did.
func (s *Server) importGoing(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "review")
	e, err := s.People.Applying(r.Context(), v.ID)
	if s.tooOld(w, r, err) {
		return
	}
	switch {
	case !e.Done:
		v.going = going{v.T("Importing"), e.Percent}
		s.showGoing(w, r, "import", "import-going", v)
	case e.Fault == "":
		wasImported(w, r, e.Result)
	default: // what was chosen stands in the form again
		if v.query.Get("missing") == "whole" {
			v.Choice = "whole"
		}
		if v.Check, err = s.People.Check(r.Context(), v.ID, v.Skip, false); s.tooOld(w, r, err) {
			return
		}
		s.showImport(w, r, v, fault("typed", e.Fault))
	}
}

func (s *Server) importedPage(w http.ResponseWriter, r *http.Request) {
	v := s.importView(r, "imported")
	var err error
	if v.Done, err = s.People.Imported(r.Context(), r.PathValue("done")); err != nil {
		s.fail(w, r, "import", err)
		return
	}
	s.showImport(w, r, v, nil)
}

func (s *Server) undoImport(w http.ResponseWriter, r *http.Request) {
	done := r.PathValue("done")
	err := s.People.Undo(r.Context(), principalOf(r.Context()), done)
	s.back(w, r, "undo", "/people/imports/"+url.PathEscape(done)+"?done=import-undone", err)
}

// exampleFile is a file to fill in, with headings in the reader's language.
func (s *Server) exampleFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="people.csv"`)
	_, _ = io.WriteString(w, "\ufeff")
	if s.language(r) == announcement.Indonesian {
		_, _ = io.WriteString(w, "NIP;Nama Karyawan;No HP;Lokasi;Departemen;Jabatan;Shift;NIP Atasan;Bahasa\r\n1001;Rina Kusuma;081200000001;Pabrik Cikande;Produksi;Kepala Produksi;;;id\r\n1002;Sri;081200000002;Pabrik Cikande;Produksi;Operator;A;1001;id\r\n")
		return
	}
	_, _ = io.WriteString(w, "employee_id,display_name,mobile_phone,site,department,job_title,shift,manager_id,locale\r\n1001,Rina Kusuma,+6281200000001,Cikande plant,Production,Head of production,,,en\r\n1002,Sri,+6281200000002,Cikande plant,Production,Operator,A,1001,id\r\n")
}

// Importable is how many rows the button imports.
func (v importView) Importable() int { return v.Check.Rows - v.Check.Skipped }

// AsksNumber reports whether a number may have to be typed.
func (v importView) AsksNumber() bool { return v.Check.MustType(false) || v.Check.Missing > 0 }

// Warnings are the doubtful cells that the page lists.
func (v importView) Warnings() []RowError {
	return v.Check.Warnings[:min(len(v.Check.Warnings), shownFaults)]
}
