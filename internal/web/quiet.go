package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"kentongan/internal/announcement"
	paper "kentongan/internal/report"
)

// QuietBudget is how often somebody has broken quiet hours this month, and how often
// the company thinks that right; 0: it does not say.
type QuietBudget struct{ Used, Allowed int }

// BrokenQuiet is how one sender broke quiet hours in one month.
type BrokenQuiet struct {
	Month         string `json:"month"` // "2026-11"
	By            string `json:"by"`
	Announcements int    `json:"announcements"` // that called people in their quiet hours
	People        int    `json:"people"`        // whom they woke, added up
	Over          bool   `json:"over_budget"`
}

func (s *Server) routeQuiet() {
	s.on("GET /history/quiet-hours", to(See).notesNothing(showsCounts), s.quietPage)
	s.on("GET /history/quiet-hours.csv", to(See).notesNothing(showsCounts), s.quietFile)
}

// quietView says who broke quiet hours.
type quietView struct {
	page
	Rows    []BrokenQuiet
	Allowed int
}

func (s *Server) quietView(r *http.Request) quietView {
	return quietView{s.page(r, "Who broke quiet hours"), s.Desk.BrokenQuiet(r.Context()), s.Desk.QuietBudget(r.Context(), principalOf(r.Context())).Allowed}
}

// Month writes "2026-11" as people say it: "Nov 2026".
func (v quietView) Month(month string) string {
	first, err := time.Parse("2006-01", month)
	if err != nil {
		return month
	}
	return announcement.FormatMonth(first, v.Lang) + " " + first.Format("2006")
}

func (s *Server) quietPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "report", "quiet-hours", s.quietView(r))
}

func (s *Server) quietFile(w http.ResponseWriter, r *http.Request) {
	v := s.quietView(r)
	var rows [][]string
	for _, b := range v.Rows {
		over := ""
		if b.Over {
			over = v.T("over the budget")
		}
		rows = append(rows, []string{b.Month, v.Say(b.By), strconv.Itoa(b.Announcements), strconv.Itoa(b.People), over})
	}
	var out bytes.Buffer
	err := paper.CSV(&out, paper.Document{People: paper.Table{Rows: paper.Rows(rows),
		Head: []string{v.T("Month"), v.T("Sender"), v.T("Alerts"), v.T("People woken"), v.T("Budget")}}})
	if err != nil {
		s.fail(w, r, "quiet hours file", err)
		return
	}
	sendReport(w, "people.csv", "quiet-hours.csv", out.Bytes())
}

type quietReply struct {
	Body struct {
		Budget int           `json:"budget" doc:"Announcements a month that may break quiet hours before the sender is told; 0: nobody is told"`
		Rows   []BrokenQuiet `json:"rows"`
	}
}

func (s *Server) apiQuiet(ctx context.Context, _ *struct{}) (*quietReply, error) {
	out := new(quietReply)
	out.Body.Budget, out.Body.Rows = s.Desk.QuietBudget(ctx, principalOf(ctx)).Allowed, s.Desk.BrokenQuiet(ctx)
	return out, nil
}
