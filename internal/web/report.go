package web

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	paper "kentongan/internal/report"
)

func (s *Server) routeReport() {
	s.on("GET /alerts/{id}/report", to(See).notes(announcement.ReportViewed), s.reportPage)
	s.on("GET /alerts/{id}/report/{file}", to(See).notes(announcement.ReportExported), s.reportFile)
	s.on("POST /alerts/{id}/report/{file}", to(See).notes(announcement.ReportExported), s.orderReport)
	s.on("GET /alerts/{id}/report/made/{made}", to(See).notesNothing(partOfPage), s.madePage)
	s.on("GET /alerts/{id}/report/made/{made}/{name}", to(See).notes(announcement.ReportExported), s.madeFile)
	s.on("GET /history", to(See).notesNothing(showsCounts), s.history)
}

// reportView is how an alert went, or goes so far.
type reportView struct {
	boardView
	Outcome Outcome
	Made    []MadeReport // files of a large report

	progress func(percent int)
}

// largeReport is above how many people a file of a report takes longer than a page
// may; it is then made on its own and kept for a week.
const largeReport = 5000

// Large reports whether the files of this report are made on their own.
func (v reportView) Large() bool { return v.Counts.Recipients > largeReport }

// Kinds are the files, and what they are called.
func (v reportView) Kinds() map[string]string {
	out := map[string]string{}
	for file, kind := range reportKinds {
		out[file] = kind.name
	}
	return out
}

// ReportOrder is the file of a report that somebody wants, in their language.
type ReportOrder struct {
	Announcement announcement.ID
	File         string
	Language     announcement.Language
	Grant        Grant // of whoever ordered it: the file shows what they may see
}

// MadeReport is such a file. Result is its name.
type MadeReport struct {
	Errand
	ReportOrder
}

// Kind is what the file is called among people.
func (m MadeReport) Kind() string { return reportKinds[m.File].name }

// reportKinds are the files of a report.
var reportKinds = map[string]struct{ name, mime string }{
	"people.csv":  {"CSV", "text/csv; charset=utf-8"},
	"report.xlsx": {"XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	"report.pdf":  {"PDF", "application/pdf"},
}

// fact is a number of the report with its words.
type fact struct{ Label, Value, Hint string }

// share writes a part of all people with its percentage.
func (v reportView) share(n int) string {
	if all := v.Counts.Recipients; all > 0 {
		return v.N(n) + " (" + v.Share(n, all) + ")"
	}
	return v.N(n)
}

// within returns how many had answered so long after the alert.
func (v reportView) within(d time.Duration) int {
	n, _ := slices.BinarySearch(v.Outcome.After, d+1)
	return n
}

// median of durations that are sorted.
func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}

// Length writes a duration as people say it.
func (p page) Length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.T("%s s", p.N(int(d.Seconds())))
	case d < time.Hour:
		return p.T("%s min %s s", p.N(int(d.Minutes())), p.N(int(d.Seconds())%60))
	}
	return p.T("%s h %s min", p.N(int(d.Hours())), p.N(int(d.Minutes())%60))
}

// Facts are the headline.
func (v reportView) Facts() []fact {
	o := v.Outcome
	never := v.T("nobody yet")
	middle, claimed := never, never
	if len(o.After) > 0 {
		middle = v.Length(median(o.After))
	}
	if len(o.Claimed) > 0 {
		claimed = v.Length(median(o.Claimed))
	}
	facts := []fact{{Label: v.T("People"), Value: v.N(v.Counts.Recipients), Hint: v.T("%s {person was|people were} called", v.N(o.Called))}}
	for _, minutes := range []int{5, 15, 60} {
		if limit := time.Duration(minutes) * time.Minute; o.Until.Sub(v.OpenedAt) >= limit || minutes == 5 {
			facts = append(facts, fact{Label: v.T("Answered within %s {minute|minutes}", v.N(minutes)), Value: v.share(v.within(limit))})
		}
	}
	facts = append(facts,
		fact{Label: v.T("Answered themselves"), Value: v.share(len(o.After))},
		fact{Label: v.T("Accounted for by others"), Value: v.share(v.Counts.VouchedBy)},
		fact{Label: v.T("Half of the answers came within"), Value: middle},
		fact{Label: v.T("Calls for help"), Value: v.N(o.Helps), Hint: v.T("%s of them resolved", v.N(o.Resolved))},
		fact{Label: v.T("Half of the calls were taken up within"), Value: claimed, Hint: v.T("%s of %s taken up", v.N(len(o.Claimed)), v.N(o.Helps))},
		fact{Label: v.T("Without answer"), Value: v.share(v.Counts.Outstanding())},
		fact{Label: v.T("Unreachable"), Value: v.share(v.Counts.Unreachable)})
	if v.Counts.Late > 0 {
		facts = append(facts, fact{Label: v.T("Answered after the end"), Value: v.N(v.Counts.Late)})
	}
	return facts
}

// Note says how final the report is.
func (v reportView) Note() string {
	note := v.T("So far, as of %s", v.Clock(v.Now))
	if !v.Live {
		note = v.T("Closed %s: %s", v.ClockAt(v.ClosedAt), v.Say(string(v.ClosedAs)))
	}
	return note + ". " + v.T("Sent by %s to %s {person|people}", v.Say(v.By), v.N(v.Counts.Recipients)) + ", " + v.Clock(v.OpenedAt) + "."
}

// point is where the curve of answers stands at one moment.
type point struct {
	After    string
	Answered int
	Share    string
	X, Y     float64 // on a picture of 600 by 200
}

// span is how long the curve is: until the end, or until the last answer came
// with some room, whichever is earlier.
func (v reportView) span() time.Duration {
	span := v.Outcome.Until.Sub(v.OpenedAt)
	if n := len(v.Outcome.After); n > 0 {
		span = min(span, v.Outcome.After[n-1]*11/10)
	}
	return max(span, time.Minute)
}

func (v reportView) points(n int) []point {
	out := make([]point, n+1)
	span := v.span()
	for i := range out {
		at := span * time.Duration(i) / time.Duration(n)
		answered := v.within(at)
		share := 0.0
		if v.Counts.Recipients > 0 {
			share = float64(answered) / float64(v.Counts.Recipients)
		}
		out[i] = point{v.Length(at.Round(time.Second)), answered, v.Share(answered, v.Counts.Recipients), 600 * float64(i) / float64(n), 200 - 200*share}
	}
	return out
}

// Curve is the line of the picture.
func (v reportView) Curve() string {
	var b strings.Builder
	for _, p := range v.points(60) {
		fmt.Fprintf(&b, "%.1f,%.1f ", p.X, p.Y)
	}
	return strings.TrimSpace(b.String())
}

// Points are the same as a table.
func (v reportView) Points() []point { return v.points(10) }

// Ends is how long the curve is, in words.
func (v reportView) Ends() string { return v.Length(v.span().Round(time.Second)) }

// Ways are the ways in which first answers came.
func (v reportView) Ways() []fact {
	var out []fact
	for _, via := range []announcement.Via{announcement.ViaPage, announcement.ViaPush, announcement.ViaSMS} {
		if n := v.Outcome.Via[via]; n > 0 {
			out = append(out, fact{Label: v.T(viaWords[via]), Value: v.N(n)})
		}
	}
	return out
}

var viaWords = map[announcement.Via]string{announcement.ViaPage: "On the page", announcement.ViaPush: "On the notification", announcement.ViaSMS: "By SMS"}

// reportTeams is how many teams the report lists.
const reportTeams = 100

// Groups are the tables of all sites and of the teams.
func (v reportView) Groups() []groups {
	out := []groups{{v.page, "Sites", "Site", v.siteRows(v.Sites), 0, ""}}
	if len(v.Teams) > 0 {
		out = append(out, groups{v.page, "Teams", "Manager", v.teamRows(v.Teams), v.TeamTotal - len(v.Teams), v.at("/teams")})
	}
	return out
}

func (s *Server) reportView(r *http.Request) (v reportView, err error) {
	if v.boardView, err = s.boardView(r); err != nil {
		return v, err
	}
	if v.Outcome, err = s.boards(r.Context()).Outcome(r.Context(), v.ID); err != nil {
		return v, err
	}
	sites, err := s.boards(r.Context()).Sites(r.Context(), v.ID)
	if err != nil {
		return v, err
	}
	v.Sites = sorted(sites)
	if v.Teams, v.TeamTotal, err = s.boards(r.Context()).Teams(r.Context(), v.ID, TeamFilter{LeadersLast: true, Limit: reportTeams}); err != nil {
		return v, err
	}
	story := decisions
	story.Limit = 100
	v.Timeline, err = s.boards(r.Context()).Story(r.Context(), v.ID, story)
	v.Title = v.T("Report") + " - " + v.Heading()
	return v, err
}

func (s *Server) reportPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.reportView(r)
	if err != nil {
		s.fail(w, r, "report", err)
		return
	}
	if v.Large() {
		v.Made = s.boards(r.Context()).MadeReports(r.Context(), v.ID)
	}
	s.show(w, r, http.StatusOK, "report", "report", v)
}

// pdfPeople is how many people the PDF lists.
const pdfPeople = 500

func (s *Server) reportFile(w http.ResponseWriter, r *http.Request) {
	v, err := s.reportView(r)
	if err == nil && v.Large() && reportKinds[r.PathValue("file")].name != "" {
		noting(r.Context()).Refused = true                                          // nothing is taken out here
		http.Redirect(w, r, "/alerts/"+string(v.ID)+"/report", http.StatusSeeOther) // where it can be ordered
		return
	}
	file, name, err := s.reportBytes(r, v, err)
	if err != nil {
		s.fail(w, r, "report file", err)
		return
	}
	sendReport(w, r.PathValue("file"), name, file)
}

func sendReport(w http.ResponseWriter, kind, name string, file []byte) {
	w.Header().Set("Content-Type", reportKinds[kind].mime)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(file)
}

// reportBytes makes a file whole before its first byte goes out: half a report
// would be believed.
func (s *Server) reportBytes(r *http.Request, v reportView, err error) (file []byte, name string, _ error) {
	if err != nil {
		return nil, "", err
	}
	d := v.document(s, r)
	var out bytes.Buffer
	switch r.PathValue("file") {
	case "people.csv":
		err = paper.CSV(&out, d)
	case "report.xlsx":
		err = paper.XLSX(&out, d)
	case "report.pdf":
		err = paper.PDF(&out, d, paper.Limits{People: pdfPeople,
			More: func(left int) string {
				return v.T("%s more {person is|people are} in the XLSX and CSV files.", v.N(left))
			},
			Lost:  v.T("Some letters cannot be printed here and stand as a dot. The XLSX file has every name whole:"),
			Whole: strings.TrimSuffix(s.PublicURL, "/") + "/alerts/" + string(v.ID) + "/report/report.xlsx"})
	default:
		err = ErrNotFound
	}
	name = string(v.Mode) + "-" + v.OpenedAt.In(announcement.Location(v.Summary.Zone)).Format("2006-01-02-1504") + "-" + r.PathValue("file")
	return out.Bytes(), name, err
}

// ReportFile makes a file of a report while nobody has to wait for it.
func (s *Server) ReportFile(ctx context.Context, o ReportOrder, progress func(percent int)) (file []byte, name string, err error) {
	// The pages read what they need from a request; this is the one that would have
	// been made by whoever ordered it.
	ctx = withPrincipal(ctx, Principal{Grant: o.Grant})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/?lang="+url.QueryEscape(string(o.Language)), nil)
	if err != nil {
		return nil, "", fmt.Errorf("make report: %w", err)
	}
	r.SetPathValue("id", string(o.Announcement))
	r.SetPathValue("file", o.File)
	v, err := s.reportView(r)
	v.progress = progress
	return s.reportBytes(r, v, err)
}

// orderReport has a file of a large report made.
func (s *Server) orderReport(w http.ResponseWriter, r *http.Request) {
	o := ReportOrder{Announcement: announcement.ID(r.PathValue("id")), File: r.PathValue("file"), Language: s.language(r)}
	if reportKinds[o.File].name == "" {
		s.fail(w, r, "report file", ErrNotFound)
		return
	}
	made, err := s.boards(r.Context()).OrderReport(r.Context(), principalOf(r.Context()), o)
	s.back(w, r, "report file", "/alerts/"+string(o.Announcement)+"/report/made/"+made, err)
}

// madeView is a file of a large report.
type madeView struct {
	boardView
	going
	File MadeReport
}

// madePage says how far the file is, and then where it is.
func (s *Server) madePage(w http.ResponseWriter, r *http.Request) {
	b, err := s.boardView(r)
	v := madeView{boardView: b}
	if err == nil {
		v.File, err = s.boards(r.Context()).MadeReport(r.Context(), b.ID, r.PathValue("made"))
	}
	if err != nil {
		s.fail(w, r, "report file", err)
		return
	}
	v.Title = v.T("Report") + " - " + v.Heading()
	v.going = going{v.T("Preparing the %s file", v.File.Kind()), v.File.Percent}
	s.showGoing(w, r, "report", "made", v)
}

func (s *Server) madeFile(w http.ResponseWriter, r *http.Request) {
	made, file, err := s.boards(r.Context()).ReportBytes(r.Context(), announcement.ID(r.PathValue("id")), r.PathValue("made"))
	if err != nil {
		s.fail(w, r, "report file", err)
		return
	}
	sendReport(w, made.File, made.Result, file)
}

// document is the report for a file, in the reader's language.
func (v reportView) document(s *Server, r *http.Request) paper.Document {
	d := paper.Document{Title: v.Title, Note: v.Note()}
	for _, f := range v.Facts() {
		value := f.Value
		if f.Hint != "" {
			value += ", " + f.Hint
		}
		d.Facts = append(d.Facts, [2]string{f.Label, value})
	}
	var curve [][]string
	for _, p := range v.Points() {
		curve = append(curve, []string{p.After, v.N(p.Answered), p.Share})
	}
	d.Tables = append(d.Tables, paper.Table{Name: v.T("Answers over time"), Head: []string{v.T("After"), v.T("Answered"), v.T("Share")}, Rows: paper.Rows(curve)})
	for _, g := range v.Groups() {
		var rows [][]string
		for _, row := range g.Rows {
			rows = append(rows, []string{row.Name, v.N(row.Counts.Outstanding()), v.N(row.Counts.NeedHelp), v.N(row.Counts.Confirmed), v.N(row.Counts.NotOnSite), v.N(row.Counts.Unreachable), v.N(row.Counts.Recipients)})
		}
		d.Tables = append(d.Tables, paper.Table{Name: v.T(g.Title), Head: []string{v.T(g.First), v.T("Without answer"), v.T("Need help"), v.T("Safe"), v.T("Not on site"), v.T("Unreachable"), v.T("All")}, Rows: paper.Rows(rows)})
	}
	var story [][]string
	for _, l := range slices.Backward(v.Story()) {
		story = append(story, []string{l.Clock, l.What, l.Why})
	}
	d.Tables = append(d.Tables, paper.Table{Name: v.T("Timeline"), Head: []string{v.T("Time"), v.T("What"), v.T("Why")}, Rows: paper.Rows(story)})
	d.People = paper.Table{Name: v.T("People"), Rows: v.everybody(s, r), Head: []string{
		v.T("Employee number"), v.T("Name"), v.T("Site"), v.T("Department"), v.T("Status"), v.T("Since"), v.T("First answer"), v.T("Answered by"), v.T("Late"),
		v.T("Accounted for by"), v.T("How do you know?"), v.T("Handled by"), v.T("Words"), v.T("Manager"), v.T("Calls"), v.T("Answer to an earlier version")}}
	return d
}

// everybody reads all people, 500 at a time.
func (v reportView) everybody(s *Server, r *http.Request) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for offset := 0; ; {
			page, err := s.boards(r.Context()).Recipients(r.Context(), v.ID, RecipientFilter{Offset: offset, Limit: 500})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, p := range page.Recipients {
				if !yield(v.personRow(p), nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			offset = *page.Next
			if v.progress != nil {
				v.progress(90 * offset / max(page.Total, 1)) // then the file is written
			}
		}
	}
}

func (v reportView) personRow(p Recipient) []string {
	tag := v.Tag(p.State)
	late := ""
	if p.Late {
		late = v.T("late")
	}
	return []string{p.Number, p.Name.Name, p.Site, p.Department, tag.Mark + " " + v.T(tag.Label), v.stamp(p.Since), v.stamp(p.AnsweredAt), v.T(viaWords[p.Via]), late,
		v.Say(p.VouchedBy), v.Say(string(p.How)), v.Say(p.Claimed), p.Words, p.Manager, strings.Join(v.Ladder(p), "; "), v.earlier(p)}
}

// earlier is what somebody answered to a version that no longer counts.
func (v reportView) earlier(p Recipient) string {
	if p.Earlier == nil {
		return ""
	}
	return v.T("for version %s: %s", v.N(p.Earlier.Version), v.T(v.Tag(p.Earlier.State).Label))
}

// stamp is a moment as a spreadsheet sorts it, at the place of the alert.
func (v reportView) stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(announcement.Location(v.Summary.Zone)).Format("2006-01-02 15:04:05")
}

// historyView is the list of all alerts.
type historyView struct {
	page
	pages
	Past      PastPage
	Mode      announcement.Mode
	Site      string
	Template  string
	From, To  string
	Sites     []Choice
	Templates []Template
}

const pastPerPage = 25

func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := historyView{page: s.page(r, "History"), Mode: announcement.Mode(q.Get("mode")), Site: q.Get("site"), Template: q.Get("type"), From: q.Get("from"), To: q.Get("to"),
		Sites: s.Desk.Sitelist(), Templates: s.Desk.Templates()}
	f := PastFilter{Mode: v.Mode, Site: v.Site, Template: v.Template, Offset: offsetOf(r), Limit: pastPerPage}
	place := announcement.Location("Asia/Jakarta")
	if day, err := time.ParseInLocation(time.DateOnly, v.From, place); err == nil {
		f.From = day
	}
	if day, err := time.ParseInLocation(time.DateOnly, v.To, place); err == nil {
		f.To = day.AddDate(0, 0, 1)
	}
	var err error
	if v.Past, err = s.boards(r.Context()).Past(r.Context(), f); err != nil {
		s.fail(w, r, "history", err)
		return
	}
	v.pages = around("/history", url.Values(q), offsetOf(r), pastPerPage, v.Past.Total)
	s.show(w, r, http.StatusOK, "report", "history", v)
}

// Chosen reports whether somebody looks for something.
func (v historyView) Chosen() bool {
	return v.Mode != "" || v.Site != "" || v.Template != "" || v.From != "" || v.To != ""
}
