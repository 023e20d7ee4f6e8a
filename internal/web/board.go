package web

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

const rowsPerPage = 50

func (s *Server) routeBoard() {
	s.on("GET /alerts/{id}", to(See).notes(announcement.RecipientsViewed), s.counting(s.board))
	s.on("GET /alerts/{id}/events", to(See).notesNothing(partOfPage), s.streamBoard)
	s.on("GET /alerts/{id}/now", to(See).notesNothing(partOfPage), s.pulseNow)
	s.on("GET /alerts/{id}/part/{part}", to(See).notes(announcement.RecipientsViewed), s.boardPart)
	s.on("GET /alerts/{id}/teams", to(See).notes(announcement.RecipientsViewed), s.boardTeams)
	s.on("GET /alerts/{id}/sites", to(See).notesNothing(showsCounts), s.boardSites)
	s.on("GET /alerts/{id}/timeline", to(See).notes(announcement.RecipientsViewed), s.boardTimeline)
	s.on("GET /alerts/{id}/people", to(See).notes(announcement.RecipientsViewed), s.boardPeople)
	s.on("GET /alerts/{id}/people/{n}", to(See).notes(announcement.PersonViewed), s.boardPerson)
	s.on("POST /alerts/{id}/people/{n}/mark", to(Announce).notesNothing(isAFact), s.boardMark)
	s.on("POST /alerts/{id}/people/{n}/remind", to(Announce).notesNothing(isAFact), s.boardRemind)
	s.on("POST /alerts/{id}/people/{n}/claim", to(Announce).notesNothing(isAFact), s.boardClaim)
}

// tile is one of the six states, with a mark so that colour is never alone.
type tile struct {
	State announcement.State
	Label string // English
	Mark  string
	Icon  string
	Class string
	Count int
	Left  float64 // where its part of the bar begins, percent
	Width float64
}

var tileKinds = []tile{
	{State: announcement.NeedsHelp, Label: "Need help", Mark: "!", Icon: "life-buoy", Class: "help"},
	{State: announcement.NoAnswer, Label: "No answer", Mark: "–", Icon: "clock", Class: "none"},
	{State: announcement.Unreachable, Label: "Unreachable", Mark: "x", Icon: "phone-off", Class: "unreach"},
	{State: announcement.HasOpened, Label: "Opened", Mark: "o", Icon: "eye", Class: "seen"},
	{State: announcement.Confirmed, Label: "Safe", Mark: "✓", Icon: "circle-check", Class: "safe"},
	{State: announcement.OffSite, Label: "Not on site", Mark: "~", Icon: "door-open", Class: "excused"},
}

func tiles(c announcement.Counts) []tile {
	out := make([]tile, len(tileKinds))
	left := 0.0
	for i, t := range tileKinds {
		t.Count = c.Of(t.State)
		if c.Recipients > 0 {
			t.Width = 100 * float64(t.Count) / float64(c.Recipients)
		}
		t.Left, left = left, left+t.Width
		out[i] = t
	}
	return out
}

// Tag is the tile of a state, for its label, mark and colour.
func (p page) Tag(state announcement.State) tile {
	for _, t := range tileKinds {
		if t.State == state {
			return t
		}
	}
	return tile{Label: string(state)}
}

// forQuestion gives the labels of the question that was asked: who was asked
// whether they understood is not called safe.
func (t tile) forQuestion(asked announcement.Answers) tile {
	if asked == announcement.Read {
		switch t.State {
		case announcement.NeedsHelp:
			t.Label = "Has a problem"
		case announcement.Confirmed:
			t.Label = "Understood"
		}
	}
	return t
}

// Tag is the tile of a state in the words of this alert's question.
func (v boardView) Tag(state announcement.State) tile {
	return v.page.Tag(state).forQuestion(v.Summary.Answers)
}

// AsksRead reports whether the question is "understood", not "safe".
func (v boardView) AsksRead() bool { return v.Summary.Answers == announcement.Read }

// Ladder says in plain words how far the calls to a person have come, and what
// cannot be known.
func (p page) Ladder(r Recipient) []string {
	var said []string
	for _, c := range announcement.Channels {
		l, ok := r.Channels[c]
		if !ok || c == announcement.InApp && l.Rank != "shown" {
			continue // an open page is a bonus: that there is none says nothing
		}
		text := p.T(rankWords[l.Rank])
		if l.Failure != "" {
			text = p.failure(c, l.Failure)
		}
		said = append(said, p.ChannelName(c)+": "+text)
	}
	return said
}

// failure says why a channel did not reach somebody. Whoever has no number may have
// a device all the same, and the other way round.
func (p page) failure(c announcement.Channel, why string) string {
	if why == "no_contact_point" {
		return p.T(missingWords[c])
	}
	return p.word(why)
}

var missingWords = map[announcement.Channel]string{announcement.WebPush: "no device", announcement.SMS: "no mobile number", announcement.InApp: "no device"}

// ChannelName is a channel in words.
func (p page) ChannelName(c announcement.Channel) string { return p.T(channelWords[c]) }

var channelWords = map[announcement.Channel]string{announcement.WebPush: "Push", announcement.SMS: "SMS", announcement.InApp: "Open page"}

var rankWords = map[string]string{
	"queued": "waiting", "accepted": "accepted by the network", "sent": "sent by the carrier",
	"delivered": "carrier says delivered", "failed": "failed", "shown": "shown on the phone",
}

type boardView struct {
	page
	Summary
	Tiles     []tile
	Answered  int
	Help      []Recipient
	People    RecipientPage
	HelpTotal int
	Teams     []Team
	TeamTotal int
	Sites     []site
	Timeline  StoryPage
	State     announcement.State
	Site      string // only its people are listed
	Team      string // a manager's employee number: only their people are listed
	TeamName  string
	Query     string
	pages
	Live    bool
	At      int  // what the stream goes on from
	Renewed bool // part of a page that is already there
}

// HelpWord is what those who need help do, after their number.
func (v boardView) HelpWord() string {
	if v.AsksRead() {
		return v.T("have a problem")
	}
	return v.T("need help")
}

// Place is the time zone of the alert, for the clock of the page.
func (v boardView) Place() string { return v.Summary.Zone }

// ZoneWord is what that zone is called there: "WIB".
func (v boardView) ZoneWord() string {
	_, word, _ := strings.Cut(v.ClockIn(v.Now, v.Summary.Zone), " ")
	return word
}

// Heading is the title with REAL or DRILL, which never look alike.
func (v boardView) Heading() string { return v.TitleOf(v.Text, v.Mode) }

func (s *Server) boardView(r *http.Request) (boardView, error) {
	p, err := s.boards(r.Context()).Pulse(r.Context(), announcement.ID(r.PathValue("id")), math.MaxInt, nil)
	if err != nil {
		return boardView{}, err
	}
	sum := p.Summary
	v := boardView{page: s.page(r, ""), Summary: sum, At: p.At, Tiles: tiles(sum.Counts), Live: sum.Status != announcement.StatusClosed}
	for i, t := range v.Tiles {
		v.Tiles[i] = t.forQuestion(sum.Answers)
	}
	v.page.Zone = sum.Zone
	v.Answered = sum.Counts.NeedHelp + sum.Counts.Confirmed + sum.Counts.NotOnSite
	v.Title = v.Heading()
	if sum.Counts.NeedHelp > 0 {
		v.Title = fmt.Sprintf("(%s %s) %s", v.N(sum.Counts.NeedHelp), v.HelpWord(), v.Title)
	}
	return v, nil
}

func (v *boardView) list(s *Server, r *http.Request, offset int) error {
	q := r.URL.Query()
	v.State, v.Query, v.Team, v.Site = announcement.State(q.Get("state")), strings.TrimSpace(q.Get("q")), q.Get("team"), q.Get("site")
	var err error
	v.People, err = s.boards(r.Context()).Recipients(r.Context(), v.ID, RecipientFilter{
		State: v.State, Team: v.Team, Site: v.Site, Search: v.Query, Offset: offset, Limit: rowsPerPage,
	})
	if err != nil {
		return err
	}
	v.pages = around(v.at("/people"), q, offset, rowsPerPage, v.People.Total)
	sites, err := s.boards(r.Context()).Sites(r.Context(), v.ID)
	v.Sites = sorted(sites)
	return err
}

func (s *Server) board(w http.ResponseWriter, r *http.Request) {
	v, err := s.boardView(r)
	if err == nil {
		err = v.list(s, r, 0)
	}
	if err == nil {
		err = v.aside(s, r)
	}
	if err == nil {
		err = v.calls(s, r)
	}
	if err != nil {
		s.fail(w, r, "board", err)
		return
	}
	s.show(w, r, http.StatusOK, "board", "board", v)
}

// shownCalls is how many calls for help the board shows; more are a list.
const shownCalls = 25

// calls reads the calls for help.
func (v *boardView) calls(s *Server, r *http.Request) error {
	help, err := s.boards(r.Context()).Recipients(r.Context(), v.ID, RecipientFilter{State: announcement.NeedsHelp, Limit: shownCalls})
	v.Help, v.HelpTotal = help.Recipients, help.Total
	return err
}

// aside reads what stands beside the people.
func (v *boardView) aside(s *Server, r *http.Request) (err error) {
	if v.Teams, v.TeamTotal, err = s.boards(r.Context()).Teams(r.Context(), v.ID, TeamFilter{LeadersLast: true, Limit: shownGroups}); err != nil {
		return err
	}
	if v.Sites == nil {
		sites, err := s.boards(r.Context()).Sites(r.Context(), v.ID)
		if err != nil {
			return err
		}
		v.Sites = sorted(sites)
	}
	newest := decisions
	newest.Limit = shownLines
	v.Timeline, err = s.boards(r.Context()).Story(r.Context(), v.ID, newest)
	return err
}

func (s *Server) boardPeople(w http.ResponseWriter, r *http.Request) {
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	v, err := s.boardView(r)
	if err == nil {
		err = v.list(s, r, max(0, offset))
	}
	if err == nil && v.Team != "" {
		v.TeamName, err = s.boards(r.Context()).TeamName(r.Context(), v.ID, v.Team)
	}
	if err != nil {
		s.fail(w, r, "people of an alert", err)
		return
	}
	s.show(w, r, http.StatusOK, "board", "people-of", v)
}

type personView struct {
	boardView
	marked
	Person  Recipient
	History []Entry
	Nonce   string
}

// marked is how a mark was filled in that was refused.
type marked struct{ Given url.Values }

// Chosen reports whether a choice was made.
func (m marked) Chosen(name string, value any) bool {
	return slices.Contains(m.Given[name], fmt.Sprint(value))
}

func (s *Server) boardPerson(w http.ResponseWriter, r *http.Request) {
	s.showRecipient(w, r, http.StatusOK, nil)
}

func (s *Server) showRecipient(w http.ResponseWriter, r *http.Request, status int, errs announcement.FieldErrors) {
	n, err := index(r.PathValue("n"))
	v := personView{Nonce: newNonce(), marked: marked{r.PostForm}}
	if err == nil {
		v.boardView, err = s.boardView(r)
	}
	if err == nil {
		v.Person, v.History, err = s.boards(r.Context()).Recipient(r.Context(), v.ID, n)
	}
	if err != nil {
		s.fail(w, r, "person", err)
		return
	}
	v.Title = v.Person.Name.Name + " - " + v.Heading()
	if v.Errors = errs; len(errs) > 0 { // the page comes in answer to a form, whose route notes no look
		s.Trail.Saw(r.Context(), principalOf(r.Context()).Actor, announcement.PersonViewed, Noted{About: announcement.About{Announcement: v.ID, By: "console"}, Recipient: n})
		v.Title = v.T("Error:") + " " + v.Title
	}
	s.show(w, r, status, "board", "person", v)
}

func index(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, ErrNotFound
	}
	return n, nil
}

// readMark reads how somebody accounts for one person.
func (s *Server) readMark(r *http.Request, n int) (Mark, error) {
	a, _ := strconv.Atoi(r.PostFormValue("a"))
	m := Mark{Index: n, Answer: announcement.Answer(a), How: announcement.How(r.PostFormValue("how")), Note: r.PostFormValue("note"), Ref: refOf(r.PostFormValue("k")) + "-" + strconv.Itoa(n) + "-" + strconv.Itoa(a),
		Said: s.saidAt(r.PostFormValue("said"), r.PostFormValue("sent"))}
	var bad announcement.FieldErrors
	if !m.Answer.Valid() {
		bad = append(bad, &announcement.FieldError{Field: "a", Why: "Choose one of the answers."})
	}
	if !m.How.Valid() {
		bad = append(bad, &announcement.FieldError{Field: "how", Why: "Say how you know."})
	}
	if len(bad) > 0 {
		return m, bad
	}
	return m, nil
}

// markedAs is what is said after a mark: another's word does not end a call for help.
func markedAs(m Mark, after Recipient) string {
	if m.Answer != announcement.NeedHelp && after.State == announcement.NeedsHelp {
		return "marked-help"
	}
	return "marked"
}

func (s *Server) boardMark(w http.ResponseWriter, r *http.Request) {
	n, err := index(r.PathValue("n"))
	var m Mark
	if err == nil {
		m, err = s.readMark(r, n)
	}
	if err == nil {
		err = s.Desk.MarkAt(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), m)
	}
	if errs := faults(err); errs != nil {
		s.showRecipient(w, r, http.StatusUnprocessableEntity, errs)
		return
	}
	done := "marked"
	if err == nil {
		one, _, err := s.Desk.Boards(principalOf(r.Context())).Recipient(r.Context(), announcement.ID(r.PathValue("id")), n)
		if err == nil {
			done = markedAs(m, one)
		}
	}
	s.back(w, r, "mark", "/alerts/"+r.PathValue("id")+"/people/"+r.PathValue("n")+"?done="+done, err)
}

func (s *Server) boardRemind(w http.ResponseWriter, r *http.Request) {
	n, err := index(r.PathValue("n"))
	done := "called-one"
	if err == nil {
		err = s.Desk.RemindAt(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), n)
	}
	if errors.Is(err, ErrConflict) {
		done, err = "too-soon-one", nil
	}
	s.back(w, r, "remind", "/alerts/"+r.PathValue("id")+"/people/"+r.PathValue("n")+"?done="+done, err)
}

func (s *Server) boardClaim(w http.ResponseWriter, r *http.Request) {
	n, resolved, done, err := readClaim(r, r.PathValue("n"))
	if err == nil {
		err = s.Desk.ClaimAt(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), n, resolved)
	}
	s.back(w, r, "claim", "/alerts/"+r.PathValue("id")+"?done="+done, err)
}

// readClaim reads that somebody handles a call for help or, from the form that
// ends one, how it was resolved: whoever looks on must see more than that it is
// over.
func readClaim(r *http.Request, who string) (n int, resolved announcement.Resolution, done string, err error) {
	n, err = index(who)
	if r.PostFormValue("end") == "" {
		return n, "", "claimed", err
	}
	resolved = announcement.Resolution(r.PostFormValue("how"))
	if err == nil && !resolved.Valid() {
		err = announcement.FieldErrors{{Field: "how", Why: "Say how it was resolved."}}
	}
	return n, resolved, "resolved", err
}

// back ends a form: to the page that shows what came of it, or the reason why
// nothing did.
func (s *Server) back(w http.ResponseWriter, r *http.Request, step, path string, err error) {
	if err != nil {
		s.fail(w, r, step, err)
		return
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// ChangedWords are what the version that counts has changed, for this reader.
func (v boardView) ChangedWords() string {
	return announcement.Decided{Words: v.Summary.Changed}.Say(v.Lang)
}
