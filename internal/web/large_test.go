package web

import (
	"net/http"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// The file of a large report is ordered and fetched later, instead of made
// while the page waits.
func TestLargeReportIsOrdered(t *testing.T) {
	t.Parallel()
	c := openCompany(t)
	c.house.open = true
	srv := newServerOf(t, c)
	c.sum.Counts.Recipients = largeReport + 1
	if w := call(t, srv, "GET", "/alerts/a1/report/people.csv", ""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/alerts/a1/report" {
		t.Errorf("a large report: got %d %s", w.Code, w.Header())
	}
	if last := c.beside[len(c.beside)-1]; last.act != announcement.ReportExported || !last.on.Refused {
		t.Errorf("a large report that went to nobody is noted as taken out: %+v", last)
	}
	if w := call(t, srv, "POST", "/alerts/a1/report/passwd", ""); w.Code != http.StatusNotFound || len(c.ordered) != 0 {
		t.Errorf("no such file: got %d", w.Code)
	}
	w := call(t, srv, "POST", "/alerts/a1/report/report.xlsx?lang=en", "")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/alerts/a1/report/made/made2" || len(c.ordered) != 1 || c.ordered[0].Announcement != "a1" || c.ordered[0].File != "report.xlsx" || c.ordered[0].Language != "en" {
		t.Errorf("ordered: got %d %s, %v", w.Code, w.Header(), c.ordered)
	}
	if w := call(t, srv, "GET", "/alerts/a1/report/made/made1/x.xlsx", ""); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Disposition"), "live-2026-11-24") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("fetched: got %d %s", w.Code, w.Header())
	}
	if w := call(t, srv, "GET", "/alerts/a1/report/made/made2/x.xlsx", ""); w.Code != http.StatusNotFound {
		t.Errorf("fetched too early: got %d", w.Code)
	}
}

// While a large file is checked or imported, its page says how far it is, with a
// link to look again; nothing else of the import can be done meanwhile.
func TestLargeImportSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	h := newHouse()
	h.open = true
	srv := newServer(t, h)
	for path, want := range map[string]string{
		"/people/import/u50000/check": "Checking the rows... 40 %", "/people/import/u50000/review": "Checking the rows... 40 %", "/people/import/u50000/faults.csv": "Checking the rows... 40 %",
		"/people/import/u50000/going": "Importing... 70 %",
	} {
		w := call(t, srv, "GET", path+"?lang=en", "")
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, want) || !strings.Contains(body, `href="`+path+`?lang=en">Refresh`) || strings.Contains(body, "http-equiv") || w.Header().Get("Refresh") != "" {
			t.Errorf("%s: got %d %s", path, w.Code, body)
		}
	}
	if w := call(t, srv, "GET", "/people/import/u1/going", ""); w.Header().Get("Location") != "/people/imports/done1" {
		t.Errorf("done: got %d %s", w.Code, w.Header())
	}
	if w := call(t, srv, "GET", "/people/import/u0/check", ""); w.Header().Get("Location") != "/people/import/u0/review" {
		t.Errorf("nothing is wrong: got %d %s", w.Code, w.Header())
	}
}
