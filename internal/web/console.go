package web

import (
	"net/http"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

func (s *Server) routeConsole() {
	s.on("GET /{$}", to(See, Operate).notesNothing(showsCounts), s.home)
	s.on("GET /now", to(See, Operate).notesNothing(showsCounts), s.homeNow)
	s.routeSignin()
}

func (s *Server) visitor(r *http.Request) (Principal, bool) {
	if s.Access.OpenConsole() {
		return Principal{Actor: announcement.ByConsole, Name: "console", Grant: As(Roles...)}, true
	}
	c, err := r.Cookie("session")
	if err != nil {
		return Principal{}, false
	}
	p, err := s.Access.Visitor(r.Context(), c.Value)
	return p, err == nil && p.Enters()
}

type homeView struct {
	page
	Open, Closed []Summary
	Helpless     []calls     // closed alerts in which calls for help are left
	Unlisted     bool        // the alerts cannot be listed now
	Coming       []Countdown // what goes out in a moment
	Ready        Readiness
	Drafts       []SavedDraft
	Templates    []Template
	waiting
}

// DraftTitle says what a draft is about, as far as it was written.
func (v homeView) DraftTitle(s SavedDraft) string {
	c := composeView{page: v.page, composing: composing{Draft: s.Draft}}
	for _, t := range v.Templates {
		if t.Key == s.Draft.Template {
			c.Template = t
		}
	}
	return c.Subject()
}

// Down says which channels do not go out now, and what still does.
func (v homeView) Down() []string {
	var out []string
	var works []string
	for _, c := range []announcement.Channel{announcement.WebPush, announcement.SMS} {
		if v.Ready.Failing[c] == "" {
			works = append(works, v.ChannelName(c))
		}
	}
	for _, c := range announcement.Channels {
		why, fails := v.Ready.Failing[c]
		switch {
		case !fails:
		case len(works) == 0:
			out = append(out, v.T("%s is not going out (%s). Call people by phone.", v.ChannelName(c), v.word(why)))
		default:
			out = append(out, v.T("%s is not going out (%s). %s works.", v.ChannelName(c), v.word(why), strings.Join(works, ", ")))
		}
	}
	return out
}

// DrillDays is how many days ago the last drill was.
func (v homeView) DrillDays() int { return int(v.Now.Sub(*v.Ready.LastDrill) / (24 * time.Hour)) }

// DrillOld reports whether people should practise again: what nobody practises
// does not work, and an SMS sender that stays silent for three months is blocked.
func (v homeView) DrillOld() bool { return v.Ready.LastDrill == nil || v.DrillDays() > 60 }

// bar is the coloured bar of the six states.
type bar struct {
	page
	Tiles []tile
}

// Bar is the bar of these counts.
func (p page) Bar(c announcement.Counts) bar { return bar{p, tiles(c)} }

// TitleOf is an announcement's title in the reader's language, marked when it
// is a drill.
func (p page) TitleOf(text map[announcement.Language]announcement.Text, m announcement.Mode) string {
	t, ok := text[p.Lang]
	if !ok {
		for _, lang := range []announcement.Language{announcement.Indonesian, announcement.English} {
			if t, ok = text[lang]; ok {
				break
			}
		}
	}
	if m == announcement.Drill {
		return drillWord(p.Lang, t.Title)
	}
	return t.Title
}

// Band is the CSS class of a severity's colour; a drill has its own.
func (p page) Band(m announcement.Mode, sev announcement.Severity) string { return bandOf(m, sev) }

// home is the first page. A part that cannot be made says so alone: whoever wants
// to send an alert must never find an error instead.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	v := s.now(r)
	v.Ready, v.Drafts, v.Templates = s.Desk.Readiness(r.Context()), s.boards(r.Context()).Drafts(r.Context()), s.Desk.Templates()
	s.show(w, r, http.StatusOK, "home", "home", v)
}

// homeNow is what of the first page renews itself. It leaves out what takes a look
// at everybody.
func (s *Server) homeNow(w http.ResponseWriter, r *http.Request) {
	v := s.now(r)
	v.Ready.Failing = s.People.Trials(r.Context()).Failing
	s.show(w, r, http.StatusOK, "home", "now", v)
}

// calls are calls for help in a closed alert that nobody handles.
type calls struct {
	Summary
	Left int
}

func (s *Server) now(r *http.Request) homeView {
	v := homeView{page: s.page(r, "Alerts"), waiting: waiting{s.boards(r.Context()).Inbox(r.Context())}, Coming: s.boards(r.Context()).Countdowns(r.Context())}
	list, err := s.boards(r.Context()).List(r.Context())
	if err != nil {
		s.Log.Error("alerts not listed", "step", "home", "reason", err)
		list, v.Unlisted = nil, true
	}
	for _, sum := range list {
		if sum.Status == announcement.StatusClosed {
			v.Closed = append(v.Closed, sum)
			if left := s.leftIn(r, sum); left > 0 {
				v.Helpless = append(v.Helpless, calls{sum, left})
			}
		} else {
			v.Open = append(v.Open, sum)
		}
	}
	return v
}

// leftIn is how many calls for help nobody handles in a real alert that was closed in
// the last week.
func (s *Server) leftIn(r *http.Request, sum Summary) int {
	if sum.Mode != announcement.Live || sum.Counts.NeedHelp == 0 || sum.ClosedAt == nil || s.Now().Sub(*sum.ClosedAt) > 7*24*time.Hour {
		return 0
	}
	left, err := s.unclaimed(r, sum.ID)
	if err != nil { // rather named than passed over
		s.Log.Error("calls for help not counted", "step", "home", "reason", err)
		return sum.Counts.NeedHelp
	}
	return left
}

// In puts a countdown on this page.
func (v homeView) In(c Countdown) countdownView { return countdownView{v.page, c} }
