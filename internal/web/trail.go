package web

import (
	"bytes"
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kentongan/internal/announcement"
	paper "kentongan/internal/report"
)

// LedgerReport is what reading the whole ledger found.
type LedgerReport struct {
	Records       int      `json:"records"`
	Facts         int      `json:"facts"`
	Announcements int      `json:"announcements"`
	Last          uint64   `json:"last"`        // position of the last record
	Sealed        uint64   `json:"sealed"`      // position of the last record that a checkpoint covers
	Checkpoints   int      `json:"checkpoints"` // in the ledger
	Witnessed     int      `json:"witnessed"`   // of them, in the file outside of NATS too
	Key           string   `json:"key"`         // short name of the key that signed the last one
	Faults        []string `json:"faults"`      // positions and ids; empty when the ledger is whole
}

// TrailFilter says what of the audit trail is asked for; what is empty is not.
type TrailFilter struct {
	Who          announcement.Actor
	Act          announcement.Act
	Number       string // employee number of whom it is about
	Announcement announcement.ID
	From, To     time.Time
	Before       string // goes on where a page ended
	Limit        int
}

// TrailPage is part of the trail, newest first.
type TrailPage struct {
	Entries []TrailEntry `json:"entries"`
	Next    string       `json:"next,omitempty" doc:"Give it as before to go on; missing at the end"`
	Looked  int          `json:"-"` // entries that were looked at for these; the search stopped there when Next is set and the page is short
}

// TrailEntry is one of them, with names as they are now.
type TrailEntry struct {
	At           time.Time                                   `json:"at"`
	Actor        announcement.Actor                          `json:"actor"`
	Who          string                                      `json:"who" doc:"Empty for somebody who is not known any more, and for nobody"`
	Act          announcement.Act                            `json:"act"`
	About        announcement.About                          `json:"about"`
	Person       *Name                                       `json:"person,omitempty"`
	Account      string                                      `json:"account,omitempty"`
	Announcement map[announcement.Language]announcement.Text `json:"-"`
}

// Checked is when the whole ledger was last read, and what was found.
type Checked struct {
	At      time.Time `json:"at"` // zero: never
	Records int       `json:"records"`
	Faults  int       `json:"faults"`
	Whole   time.Time `json:"whole"` // since when every check has found it whole; zero: it is not
}

// actWords say what was done.
var actWords = map[announcement.Act]string{
	announcement.SignedIn: "signed in", announcement.SignInRefused: "was refused at the sign-in", announcement.SignedOut: "signed out", announcement.SessionEnded: "ended a session",
	announcement.AccountInvited: "invited an account", announcement.AccountChanged: "changed an account", announcement.AccountEnded: "ended an account", announcement.RoleChanged: "changed a role",
	announcement.PasswordSet: "set a password", announcement.PasskeyAdded: "added a passkey", announcement.PasskeyDropped: "dropped a passkey", announcement.TokenCreated: "made an API token", announcement.TokenEnded: "ended an API token",
	announcement.PersonChanged: "changed a person", announcement.PeopleLeft: "let people leave", announcement.NumberCleared: "cleared the note of a wrong number", announcement.PersonInvited: "made an enrolment link", announcement.PeopleImported: "imported people", announcement.ImportUndone: "undid an import",
	announcement.PeopleProvision: "provisioned people", announcement.SiteChanged: "changed a site", announcement.GroupChanged: "changed a group", announcement.DutyChanged: "changed the duty list",
	announcement.TemplateChanged: "changed a template", announcement.TemplatePublished: "published a template", announcement.WentLive: "went live", announcement.ChannelTried: "tested a channel",
	announcement.Approved: "approved an alert", announcement.Rejected: "rejected an alert", announcement.SentAlone: "sent an alert that nobody approved", announcement.PhonesShutOut: "shut out the phones of", announcement.EvidenceExported: "took out the evidence of an alert", announcement.TextHandled: "handled a message", announcement.LedgerVerified: "checked the ledger",
	announcement.Erased: "erased data", announcement.RetentionChanged: "changed how long data is kept", announcement.BackupMade: "made a backup", announcement.BackupRestored: "restored a backup",
	announcement.JobTriedAgain: "had a stuck delivery tried again", announcement.JobDropped: "dropped a stuck delivery",
	announcement.PeopleExported: "exported people", announcement.ReportExported: "exported a report", announcement.FaultsExported: "exported the faults of an import", announcement.AuditExported: "exported the audit trail",
	announcement.PeopleListed: "looked at a list of people", announcement.PersonViewed: "looked at a person", announcement.NumberShown: "had a number shown", announcement.RecipientsViewed: "looked at the people of an alert", announcement.TeamViewed: "looked at their team",
	announcement.TextViewed: "read messages", announcement.PhotoViewed: "looked at a photo", announcement.ReportViewed: "looked at a report", announcement.AuditViewed: "looked at the audit trail",
}

// wayWords say by which way somebody came.
var wayWords = map[string]string{"console": "console", "api": "API", "scim": "identity provider", "link": "link", "phone": "phone", "password": "password", "passkey": "passkey", "sso": "company sign-in", "token": "token"}

func (s *Server) routeTrail() {
	s.on("GET /audit", to(Audit).notes(announcement.AuditViewed), s.trailPage)
	s.on("GET /audit/audit.csv", to(Audit).notes(announcement.AuditExported), s.trailFile)
	s.on("GET /audit/audit.xlsx", to(Audit).notes(announcement.AuditExported), s.trailFile)
}

const (
	trailPerPage = 50
	trailInFile  = 50_000 // rows; the last says where the next file begins
)

type trailView struct {
	page
	TrailPage
	Checked
	Filter trailAsked
	People []Name // who has an account or a token, as actors
}

// trailAsked is the filter as it stands in the address.
type trailAsked struct{ Who, Act, Person, Announcement, Day string }

func (s *Server) trailFilter(r *http.Request) (trailAsked, TrailFilter) {
	q := r.URL.Query()
	a := trailAsked{q.Get("who"), q.Get("act"), strings.TrimSpace(q.Get("person")), strings.TrimSpace(q.Get("alert")), q.Get("day")}
	f := TrailFilter{Who: announcement.Actor(a.Who), Act: announcement.Act(a.Act), Number: a.Person, Announcement: announcement.ID(a.Announcement), Before: q.Get("before"), Limit: trailPerPage}
	if day, err := time.ParseInLocation(time.DateOnly, a.Day, announcement.Location("Asia/Jakarta")); err == nil {
		f.From, f.To = day, day.AddDate(0, 0, 1)
	}
	return a, f
}

// Link is the page or a file with the same filter; before is where it goes on.
func (v trailView) Link(path, before string) string {
	q := url.Values{}
	for key, value := range map[string]string{"who": v.Filter.Who, "act": v.Filter.Act, "person": v.Filter.Person, "alert": v.Filter.Announcement, "day": v.Filter.Day, "before": before} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Acts are what can be looked for.
func (v trailView) Acts() []announcement.Act { return announcement.Acts }

// What says an act.
func (p trailView) What(a announcement.Act) string { return p.T(actWords[a]) }

// By says who did something.
func (p trailView) By(e TrailEntry) string {
	switch {
	case e.Who != "":
		return p.Say(e.Who)
	case e.Actor == "":
		return p.T("Somebody unknown")
	}
	return p.T("Somebody who was erased")
}

// To says what it was done to.
func (p trailView) To(e TrailEntry) string {
	var out []string
	if e.Person != nil {
		if e.Person.Number == "" {
			out = append(out, p.T("a person who was erased"))
		} else {
			out = append(out, e.Person.Name+" ("+e.Person.Number+")")
		}
	}
	if e.Account != "" {
		out = append(out, e.Account)
	}
	if e.Announcement != nil {
		out = append(out, p.TitleOf(e.Announcement, announcement.Live))
	} else if e.About.Announcement != "" {
		out = append(out, string(e.About.Announcement))
	}
	if e.About.Object != "" {
		out = append(out, e.About.Object)
	}
	if e.About.Count > 0 {
		if e.Act == announcement.SignInRefused {
			out = append(out, p.T("%s {time|times}", p.N(e.About.Count)))
		} else {
			out = append(out, p.T("%s {person|people}", p.N(e.About.Count)))
		}
	}
	if e.Act == announcement.JobDropped {
		for _, why := range e.About.Asked {
			out = append(out, p.T(dropWords[why]))
		}
	}
	if e.About.Refused {
		out = append(out, p.T("nothing came of it"))
	}
	return strings.Join(out, ", ")
}

// Way says how they came.
func (p trailView) Way(e TrailEntry) string { return p.T(wayWords[e.About.By]) }

func (s *Server) trailPage(w http.ResponseWriter, r *http.Request) {
	asked, f := s.trailFilter(r)
	v := trailView{page: s.page(r, "Audit trail"), Filter: asked, Checked: s.Trail.Checked(r.Context()), People: s.Trail.Actors(r.Context())}
	var err error
	if v.TrailPage, err = s.Trail.Read(r.Context(), f); err != nil {
		s.fail(w, r, "audit", err)
		return
	}
	s.show(w, r, http.StatusOK, "audit", "audit", v)
}

// trailFile is the same as a file, whole before its first byte goes out.
func (s *Server) trailFile(w http.ResponseWriter, r *http.Request) {
	asked, f := s.trailFilter(r)
	v := trailView{page: s.page(r, "Audit trail"), Filter: asked}
	f.Limit = 500
	d := paper.Document{Title: v.Title, People: paper.Table{Name: v.Title, Rows: s.trailRows(r.Context(), v, f),
		Head: []string{v.T("Time"), v.T("Who"), v.T("What"), v.T("About"), v.T("By"), "actor", "act", "person", "announcement"}}}
	var out bytes.Buffer
	var err error
	name := strings.TrimPrefix(r.URL.Path, "/audit/")
	kind := "people.csv"
	if name == "audit.xlsx" {
		kind, err = "report.xlsx", paper.XLSX(&out, d)
	} else {
		err = paper.CSV(&out, d)
	}
	if err != nil {
		s.fail(w, r, "audit file", err)
		return
	}
	sendReport(w, kind, name, out.Bytes())
}

func (s *Server) trailRows(ctx context.Context, v trailView, f TrailFilter) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for rows := 0; rows < trailInFile; {
			part, err := s.Trail.Read(ctx, f)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range part.Entries {
				rows++
				if !yield([]string{e.At.In(announcement.Location("Asia/Jakarta")).Format("2006-01-02 15:04:05"), v.By(e), v.What(e.Act), v.To(e), v.Way(e),
					string(e.Actor), string(e.Act), string(e.About.Person), string(e.About.Announcement)}, nil) {
					return
				}
			}
			if f.Before = part.Next; f.Before == "" {
				return
			}
		}
		yield([]string{"", "", v.T("This file ends here. What is older is in the next one:"), strings.TrimSuffix(s.PublicURL, "/") + v.Link(v.Path, f.Before), "", "", "", "", ""}, nil)
	}
}

type trailRequest struct {
	Who          announcement.Actor `query:"who" maxLength:"80" doc:"account:…, token:…, person:…, console"`
	Act          announcement.Act   `query:"act" maxLength:"40"`
	Person       string             `query:"person" maxLength:"64" doc:"Employee number of whom it is about"`
	Announcement announcement.ID    `query:"announcement" maxLength:"64"`
	From         time.Time          `query:"from"`
	To           time.Time          `query:"to"`
	Before       string             `query:"before" maxLength:"40" doc:"The next of the page before"`
	Limit        int                `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type trailReply struct {
	Body struct {
		TrailPage
		Checked Checked `json:"checked" doc:"When the whole ledger was last read, and what was found"`
	}
}

func (s *Server) apiTrail(ctx context.Context, in *trailRequest) (*trailReply, error) {
	part, err := s.Trail.Read(ctx, TrailFilter{Who: in.Who, Act: in.Act, Number: in.Person, Announcement: in.Announcement, From: in.From, To: in.To, Before: in.Before, Limit: in.Limit})
	if err != nil {
		return nil, s.problem("audit", err)
	}
	out := new(trailReply)
	out.Body.TrailPage, out.Body.Checked = part, s.Trail.Checked(ctx)
	return out, nil
}
