package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"kentongan/internal/announcement"
)

func (s *Server) routeTeam() {
	s.on("GET /t/{token}", byLink.notesNothing(inTheDesk), s.teamPage)
	s.on("GET /t/{token}/roll", byLink.notesNothing(inTheDesk), s.rollCall)
	s.on("GET /t/{token}/events", byLink.notesNothing(partOfPage), s.teamEvents)
	s.on("POST /t/{token}/mark", byLink.notesNothing(isAFact), s.teamMark)
	s.on("POST /t/{token}/undo", byLink.notesNothing(isAFact), s.teamAct(func(ctx context.Context, r *http.Request, n int) (string, error) {
		err := s.Phone.TeamUndo(ctx, r.PathValue("token"), n)
		if errors.Is(err, ErrConflict) {
			return "too-late", nil
		}
		return "undone", err
	}))
	s.on("POST /t/{token}/claim", byLink.notesNothing(isAFact), s.teamClaim)
	s.on("POST /t/{token}/remind", byLink.notesNothing(isAFact), s.teamAct(func(ctx context.Context, r *http.Request, n int) (string, error) {
		err := s.Phone.TeamRemind(ctx, r.PathValue("token"), n)
		if errors.Is(err, ErrConflict) {
			return "too-soon", nil
		}
		return "called", err
	}))
}

type teamView struct {
	page
	TeamPage
	marked
	Token     string
	Band      string
	Nonce     string
	Accounted int
}

// States lists the groups in the order in which people need to see them.
func (v teamView) States() []announcement.State { return announcement.States }

// Open reports whether the alert still calls people.
func (v teamView) Open() bool { return v.Status != announcement.StatusClosed }

// Corrected reports whether the alert was sent in error.
func (v teamView) Corrected() bool { return v.ClosedAs == announcement.AsCorrected }

// Waits reports whether somebody is still waited for.
func (v teamView) Waits() bool { return v.Counts.Outstanding() > 0 }

// Tag is the tile of a state in the words of this alert's question.
func (v teamView) Tag(state announcement.State) tile {
	return v.page.Tag(state).forQuestion(v.Announcement.Answers)
}

// AsksRead reports whether the question is "understood", not "safe".
func (v teamView) AsksRead() bool { return v.Announcement.Answers == announcement.Read }

// Settled reports whether nothing is left to do for those in a state.
func (v teamView) Settled(state announcement.State) bool {
	return state == announcement.Confirmed || state == announcement.OffSite
}

// Silent reports whether those in a state have not answered.
func (v teamView) Silent(state announcement.State) bool {
	return state == announcement.NoAnswer || state == announcement.HasOpened || state == announcement.Unreachable
}

// In lists the manager's people who are in one state.
func (v teamView) In(state announcement.State) []Recipient {
	var out []Recipient
	for _, r := range v.Recipients {
		if r.State == state {
			out = append(out, r)
		}
	}
	return out
}

// First is the first on the page whom somebody can tick; -1 for nobody.
func (v teamView) First() int {
	for _, state := range v.States() {
		for _, r := range v.In(state) {
			return r.Index
		}
	}
	return -1
}

func (s *Server) teamPage(w http.ResponseWriter, r *http.Request) {
	s.showTeam(w, r, http.StatusOK, "", nil)
}

// showTeam shows the page, with a word on what came of an act, or with what is wrong
// with a mark.
func (s *Server) showTeam(w http.ResponseWriter, r *http.Request, status int, word string, errs announcement.FieldErrors) {
	v, ok := s.teamView(w, r, word)
	if !ok {
		return
	}
	v.Errors = errs
	s.show(w, r, status, "team", "team", v)
}

// teamView is what a manager sees, or it says why they see nothing.
func (s *Server) teamView(w http.ResponseWriter, r *http.Request, word string) (teamView, bool) {
	t, err := s.Phone.TeamPage(r.Context(), r.PathValue("token"))
	if err != nil {
		s.failPhone(w, r, "team page", err)
		return teamView{}, false
	}
	p := s.page(r, "")
	p.Lang = s.readersLanguage(r, t.Language)
	if word == "" {
		word = notices[r.URL.Query().Get("done")]
	}
	p.Notice = p.T(word)
	if text, ok := t.Announcement.Text[p.Lang]; ok {
		t.Text = text
	}
	p.Zone = t.Announcement.Zone
	v := teamView{page: p, TeamPage: t, Token: r.PathValue("token"), Band: bandOf(t.Announcement.Mode, t.Announcement.Severity), Nonce: newNonce(), marked: marked{r.PostForm}}
	v.Accounted = t.Counts.NeedHelp + t.Counts.Confirmed + t.Counts.NotOnSite
	v.Title = t.Text.Title
	if t.Announcement.Mode == announcement.Drill {
		v.Title = drillWord(v.page.Lang, v.Title)
	}
	if !v.Open() { // nobody in front of a fire that was a mistake, or is over, may think that it burns
		word, clear := "CLOSED", v.ClosedAs == announcement.AsAllClear
		switch {
		case v.Corrected():
			word = "SENT IN ERROR"
		case clear:
			word = "ALL CLEAR"
		}
		v.Title = v.T(word) + ": " + v.Title
		v.Band = bandAfter(t.Announcement.Mode, v.Corrected(), clear)
	}
	return v, true
}

func (s *Server) teamAct(act func(context.Context, *http.Request, int) (done string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := index(r.PostFormValue("n"))
		done := ""
		if err == nil {
			done, err = act(r.Context(), r, n)
		}
		s.backToTeam(w, r, done, err)
	}
}

// teamClaim takes a call for help. Whoever comes second is told who was first.
func (s *Server) teamClaim(w http.ResponseWriter, r *http.Request) {
	n, resolved, done, err := readClaim(r, r.PostFormValue("n"))
	if err == nil {
		err = s.Phone.TeamClaim(r.Context(), r.PathValue("token"), n, resolved)
	}
	if errors.Is(err, ErrConflict) {
		s.showTeam(w, r, http.StatusConflict, "Somebody else was first. Their name stands below.", nil)
		return
	}
	s.backToTeam(w, r, done, err)
}

// teamMark accounts for one person or, from the list with boxes, for several.
func (s *Server) teamMark(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.failPhone(w, r, "team mark", errNoAnswer)
		return
	}
	var marks []Mark
	_, err := s.readMark(r, 0) // the same for all of them
	bad := faults(err)
	for _, text := range r.PostForm["n"] {
		n, err := strconv.Atoi(text)
		if err != nil {
			s.backToTeam(w, r, "", ErrNotFound)
			return
		}
		m, _ := s.readMark(r, n)
		marks = append(marks, m)
	}
	if len(marks) == 0 {
		bad = append(announcement.FieldErrors{{Field: "n", Why: "Tick the people first."}}, bad...)
	}
	if len(bad) > 0 {
		s.showTeam(w, r, http.StatusUnprocessableEntity, "", bad)
		return
	}
	done, err := "marked", s.Phone.TeamMark(r.Context(), r.PathValue("token"), marks)
	if err == nil {
		if t, err := s.Phone.TeamPage(r.Context(), r.PathValue("token")); err == nil {
			for _, one := range t.Recipients {
				if slices.ContainsFunc(marks, func(m Mark) bool { return m.Index == one.Index && markedAs(m, one) != done }) {
					done = "marked-help"
				}
			}
		}
	}
	s.backToTeam(w, r, done, err)
}

func (s *Server) backToTeam(w http.ResponseWriter, r *http.Request, done string, err error) {
	if err != nil {
		s.failPhone(w, r, "team", err)
		return
	}
	page := "/t/" + r.PathValue("token")
	if r.PostFormValue("back") == "roll" {
		page += "/roll"
	}
	http.Redirect(w, r, page+"?done="+done, http.StatusSeeOther)
}

func (s *Server) teamEvents(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	changes, err := s.Phone.TeamChanges(r.Context(), token)
	if err != nil {
		s.failPhone(w, r, "team events", err)
		return
	}
	s.personalStream(w, r, "t "+token, changes, func(ctx context.Context) (event, error) {
		t, err := s.Phone.TeamPage(ctx, token)
		return event{Name: "counts", Data: t.Counts}, err
	})
}

// onePerson is one of the manager's people, with the page around them.
type onePerson struct {
	teamView
	Person Recipient
}

// One is one person for their card.
func (v teamView) One(r Recipient) onePerson { return onePerson{v, r} }
