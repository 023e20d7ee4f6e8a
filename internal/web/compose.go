package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// formLife is how long a form can be left lying. Sending it twice sends it once,
// however old it is.
const formLife = 24 * time.Hour

// smallDrill is the largest drill that is sent without typing its size.
const smallDrill = 50

func (s *Server) routeCompose() {
	s.on("GET /new", to(Announce).notesNothing(onlyDrafts), s.composePage)
	s.on("POST /new", to(Announce).notesNothing(onlyDrafts), s.compose)
	s.on("POST /drafts/{id}/delete", to(Announce).notesNothing(onlyDrafts), s.deleteDraft)
	s.on("POST /new/count", to(Announce).notesNothing(onlyDrafts), s.countSMS)
	s.on("POST /new/people", to(Announce).notesNothing(onlyDrafts), s.countPeople)
}

// composing is a draft on its way through the steps. The browser carries it,
// sealed; Nonce makes two presses of Send one announcement.
type composing struct {
	Draft  Draft
	Nonce  string
	People int                                         // as the last preview counted
	Asked  []string                                    // doubts that the sender has seen and set aside
	Shown  map[announcement.Language]announcement.Text // the sender's own texts when they were last previewed
	Saved  string                                      // the draft that it was laid aside as; empty: not yet
}

// draft is the id under which this is laid aside. It is that of the form, so that
// a form that was saved, gone back to and sent leaves no draft behind.
func (c composing) draft() string { return cmp.Or(c.Saved, c.Nonce) }

type composeView struct {
	page
	composing
	Step        string
	State       string // composing, sealed
	Templates   []Template
	Template    Template
	Sites       []Choice
	Departments []Choice
	Groups      []Group
	Assembly    []string // points of all sites
	places      []Site
	Everyone    int
	Preview     Preview
	Counted     bool
	Budget      QuietBudget
	MayWake     bool // the sender may send emergencies
	SMS         []smsCount
	Unchanged   []announcement.Language // texts that stayed as they were while another changed
	Typed       string                  // as somebody typed it, when it was wrong
}

// Real reports whether this is no drill.
func (v composeView) Real() bool { return v.Draft.Mode == announcement.Live }

// MustType reports whether the number of people has to be typed.
func (v composeView) MustType() bool { return v.Real() || v.Preview.Recipients > smallDrill }

func (s *Server) composePage(w http.ResponseWriter, r *http.Request) {
	if id := r.URL.Query().Get("draft"); id != "" {
		s.resume(w, r, id)
		return
	}
	c := composing{Nonce: newNonce()}
	if q := r.URL.Query(); announcement.Mode(q.Get("mode")) == announcement.Drill && q.Get("template") != "" {
		// Only a drill may be begun by a link: nobody is led into a real alert.
		c.Draft.Mode, c.Draft.Template, c.Draft.Fields = announcement.Drill, q.Get("template"), map[string]string{}
		if slices.ContainsFunc(s.Desk.Templates(), func(t Template) bool { return t.Key == c.Draft.Template }) {
			s.showStep(w, r, "write", c, nil, nil)
			return
		}
		c.Draft.Template = ""
	}
	s.showStep(w, r, "choose", c, nil, nil)
}

func (s *Server) showStep(w http.ResponseWriter, r *http.Request, step string, c composing, errs announcement.FieldErrors, p *Preview) {
	v := composeView{page: s.page(r, "New alert"), composing: c, Step: step, Templates: s.Desk.Templates(), Sites: s.Desk.Sitelist(), Departments: s.Desk.Departments()}
	v.Errors, v.MayWake = errs, principalOf(r.Context()).May(AnnounceEmergency)
	if errs != nil {
		v.Typed = short(r.PostFormValue("typed"))
	}
	switch step {
	case "write":
		v.places = s.People.AllSites(r.Context())
		for _, site := range v.places {
			v.Assembly = append(v.Assembly, site.Assembly...)
		}
		v.SMS = s.smsCounts(r.Context(), c.Draft)
	case "confirm":
		v.Budget = s.Desk.QuietBudget(r.Context(), principalOf(r.Context()))
	case "preview":
		v.Unchanged = unchanged(c.Shown, c.Draft.Text)
		c.Shown = c.Draft.Text
	case "who":
		v.Groups = s.People.AllGroups(r.Context())
		v.Everyone = s.Desk.Readiness(r.Context()).People
		if p == nil && errs == nil && !c.Draft.Audience.IsZero() {
			if counted, err := s.Desk.Preview(r.Context(), principalOf(r.Context()), c.Draft); err == nil {
				p = &counted
			}
		}
	}
	for _, t := range v.Templates {
		if t.Key == c.Draft.Template {
			v.Template = t
		}
	}
	if p != nil {
		v.Preview, v.Counted = *p, true
		v.People = p.Recipients
		c.People = p.Recipients
	}
	var err error
	if v.State, err = s.seal.put("compose", c, formLife); err != nil {
		s.fail(w, r, "compose", err)
		return
	}
	status := http.StatusOK
	if len(errs) > 0 {
		status = http.StatusUnprocessableEntity
		v.Title = v.T("Error:") + " " + v.Title
	}
	// Kept by the browser, so that its Back button shows the step before instead
	// of asking to send the form again. Nothing on it is about a person.
	w.Header().Set("Cache-Control", "private, no-cache")
	s.show(w, r, status, "new", step, v)
}

func fault(field, why string) announcement.FieldErrors {
	return announcement.FieldErrors{{Field: field, Why: why}}
}

// compose takes one step of the form and shows the next, or the same again with
// what has to be mended.
func (s *Server) compose(w http.ResponseWriter, r *http.Request) {
	var c composing
	if !s.seal.get("compose", r.PostFormValue("state"), &c) {
		s.showStep(w, r, "choose", composing{Nonce: newNonce()}, fault("mode", "This form was open for too long. Please start again."), nil)
		return
	}
	switch r.PostFormValue("step") {
	case "choose":
		s.choose(w, r, c)
	case "write":
		readWords(r, &c.Draft)
		s.meetAtSite(r.Context(), &c.Draft)
		if errs := s.unwritten(r.Context(), c.Draft); errs != nil {
			s.showStep(w, r, "write", c, errs, nil)
			return
		}
		if c.Draft.Audience.IsZero() { // most often those at the place
			c.Draft.Audience.Sites = s.siteNamed(c.Draft.Fields["site"])
		}
		s.showStep(w, r, "who", c, nil, nil)
	case "measure":
		readWords(r, &c.Draft)
		s.meetAtSite(r.Context(), &c.Draft)
		s.showStep(w, r, "write", c, nil, nil)
	case "fix":
		readWords(r, &c.Draft)
		plainly(&c.Draft)
		s.showStep(w, r, "write", c, nil, nil)
	case "count":
		readWho(r, &c.Draft)
		s.preview(w, r, c, "who")
	case "who":
		readWho(r, &c.Draft)
		s.preview(w, r, c, "preview")
	case "preview":
		if class := announcement.Class(r.PostFormValue("class")); class == announcement.ClassEmergency || class == announcement.ClassNotice {
			c.Draft.Class = class
		}
		s.preview(w, r, c, "confirm")
	case "wait":
		c.Draft.Class = announcement.ClassNotice
		s.preview(w, r, c, "confirm")
	case "doubt":
		s.preview(w, r, c, "sure")
	case "send":
		s.send(w, r, c)
	case "save-write":
		readWords(r, &c.Draft)
		s.saveDraft(w, r, c, "write")
	case "save-who":
		readWho(r, &c.Draft)
		s.saveDraft(w, r, c, "who")
	case "save":
		s.saveDraft(w, r, c, "who")
	case "to-write":
		if r.PostForm.Has("people") { // from the step that asks who
			readWho(r, &c.Draft)
		}
		s.showStep(w, r, "write", c, nil, nil)
	case "to-who":
		s.showStep(w, r, "who", c, nil, nil)
	case "to-choose":
		readWords(r, &c.Draft)
		s.showStep(w, r, "choose", c, nil, nil)
	default:
		s.showStep(w, r, "choose", c, nil, nil)
	}
}

func (s *Server) choose(w http.ResponseWriter, r *http.Request, c composing) {
	c.Draft.Mode, c.Draft.Template = announcement.Mode(r.PostFormValue("mode")), r.PostFormValue("template")
	var errs announcement.FieldErrors
	if c.Draft.Mode != announcement.Live && c.Draft.Mode != announcement.Drill {
		errs = append(errs, fault("mode", "Say whether this is real or a drill.")...)
	}
	if c.Draft.Template == "" {
		errs = append(errs, fault("template", "Choose what has happened.")...)
	}
	if len(errs) > 0 {
		s.showStep(w, r, "choose", c, errs, nil)
		return
	}
	if c.Draft.Template == "own" {
		c.Draft.Template = ""
	}
	s.showStep(w, r, "write", c, nil, nil)
}

// saveDraft lays what is written aside, complete or not.
func (s *Server) saveDraft(w http.ResponseWriter, r *http.Request, c composing, step string) {
	err := s.Desk.SaveDraft(r.Context(), principalOf(r.Context()), SavedDraft{ID: c.draft(), Draft: c.Draft, Step: step})
	if errs := faults(err); errs != nil {
		s.showStep(w, r, step, c, errs, nil)
		return
	}
	s.back(w, r, "save draft", "/?done=draft-saved", err)
}

// resume goes on with a draft where it was left. The form is as new as the draft:
// opened twice and sent twice, it is one alert.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, id string) {
	saved, err := s.boards(r.Context()).SavedDraft(r.Context(), id)
	if err != nil {
		s.fail(w, r, "resume draft", err)
		return
	}
	nonce := saved.ID + "-" + strconv.FormatInt(saved.At.UnixMilli(), 36)
	s.showStep(w, r, saved.Step, composing{Draft: saved.Draft, Nonce: nonce, Saved: saved.ID}, nil, nil)
}

func (s *Server) deleteDraft(w http.ResponseWriter, r *http.Request) {
	s.back(w, r, "delete draft", "/?done=deleted", s.Desk.DeleteDraft(r.Context(), principalOf(r.Context()), r.PathValue("id")))
}

// unwritten says what is missing or wrong in the words, before anybody is asked
// for the audience.
func (s *Server) unwritten(ctx context.Context, d Draft) announcement.FieldErrors {
	var errs announcement.FieldErrors
	if d.Template == "" {
		if len(d.Text) == 0 {
			return fault("title.id", "Write a title and a text in at least one language.")
		}
		for _, lang := range ownLanguages {
			if t, ok := d.Text[lang]; ok && t.Title == "" {
				errs = append(errs, fault("text."+string(lang)+".title", "is empty")...)
			} else if ok && t.Body == "" {
				errs = append(errs, fault("text."+string(lang)+".body", "is empty")...)
			}
		}
	}
	for _, t := range s.Desk.Templates() {
		if t.Key != d.Template {
			continue
		}
		for _, field := range t.Fields {
			if d.Fields[field] == "" {
				errs = append(errs, fault("fields."+field, "is missing")...)
			}
		}
	}
	if errs != nil {
		return errs
	}
	d.Audience = announcement.Audience{All: true}                  // whoever it will be, the words are judged the same
	_, err := s.Desk.Preview(ctx, Principal{Grant: As(Sender)}, d) // words only: who may send it is asked when it is known to whom
	if errs := aboutWords(faults(err)); len(errs) > 0 {
		return errs
	}
	return s.tooLong(ctx, d)
}

// aboutWords leaves out what is wrong with the audience.
func aboutWords(errs announcement.FieldErrors) announcement.FieldErrors {
	return slices.DeleteFunc(slices.Clone(errs), func(e *announcement.FieldError) bool { return strings.HasPrefix(e.Field, "audience") })
}

// ownLanguages are those in which a person can write their own text here.
var ownLanguages = []announcement.Language{announcement.Indonesian, announcement.English}

// readWords reads the blanks of a template, or a person's own text.
func readWords(r *http.Request, d *Draft) {
	if d.Template != "" {
		d.Fields = map[string]string{}
		for name, values := range r.PostForm {
			if field, ok := strings.CutPrefix(name, "f."); ok && len(values) > 0 {
				d.Fields[field] = strings.TrimSpace(values[0])
			}
		}
		return
	}
	d.Severity, d.Answers = announcement.Severity(r.PostFormValue("severity")), announcement.Answers(r.PostFormValue("answers"))
	d.Text = map[announcement.Language]announcement.Text{}
	for _, lang := range ownLanguages {
		t := announcement.Text{Title: strings.TrimSpace(r.PostFormValue("title." + string(lang))), Body: strings.TrimSpace(r.PostFormValue("body." + string(lang))),
			SMS: strings.Join(strings.Fields(r.PostFormValue("sms."+string(lang))), " ")}
		if t.Title != "" || t.Body != "" || t.SMS != "" {
			d.Text[lang] = t
		}
	}
}

// meetAtSite fills in the assembly point of the site where it was left empty.
func (s *Server) meetAtSite(ctx context.Context, d *Draft) {
	if d.Template == "" || d.Fields["site"] == "" || d.Fields["muster"] != "" {
		return
	}
	needs := slices.ContainsFunc(s.Desk.Templates(), func(t Template) bool {
		return t.Key == d.Template && (slices.Contains(t.Fields, "muster") || slices.Contains(t.Optional, "muster"))
	})
	for _, site := range s.People.AllSites(ctx) {
		if needs && strings.EqualFold(site.Name, d.Fields["site"]) && len(site.Assembly) > 0 {
			d.Fields["muster"] = site.Assembly[0]
		}
	}
}

// readWho reads for whom it is, and whether those stay as they are.
func readWho(r *http.Request, d *Draft) {
	d.Audience, d.AudienceMode = readAudience(r), announcement.LiveAudience
	if r.PostFormValue("snapshot") == "1" {
		d.AudienceMode = announcement.SnapshotAudience
	}
}

// Snapshot reports whether nobody joins while it is open.
func (v composeView) Snapshot() bool { return v.Draft.AudienceMode == announcement.SnapshotAudience }

func readAudience(r *http.Request) announcement.Audience {
	a := announcement.Audience{
		All: r.PostFormValue("all") == "1", Sites: r.PostForm["site"], Departments: r.PostForm["department"], Groups: r.PostForm["group"],
		Under: list(r.PostFormValue("under")), People: list(r.PostFormValue("people")),
	}
	if except := list(r.PostFormValue("except")); len(except) > 0 {
		a.Except = &announcement.Audience{People: except}
	}
	return a
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\n\r\t", r) })
}

func (s *Server) preview(w http.ResponseWriter, r *http.Request, c composing, step string) {
	p, err := s.Desk.Preview(r.Context(), principalOf(r.Context()), c.Draft)
	errs := faults(err)
	switch {
	case err != nil && errs == nil:
		s.fail(w, r, "preview", err)
		return
	case err == nil && p.Recipients == 0:
		errs = fault("audience", "Nobody matches.")
	}
	if errs != nil {
		back := "who"
		if words := aboutWords(errs); len(words) > 0 {
			back, errs = "write", words
		}
		s.showStep(w, r, back, c, errs, nil)
		return
	}
	switch doubts := doubtsAbout(p); {
	case step == "sure":
		c.Asked, step = doubts, "confirm"
	case step == "confirm" && unasked(c, p):
		step = "doubt"
	}
	s.showStep(w, r, step, c, nil, &p)
}

// send hands the announcement to the countdown, if the number of people is still
// the one that was confirmed.
func (s *Server) send(w http.ResponseWriter, r *http.Request, c composing) {
	p, err := s.Desk.Preview(r.Context(), principalOf(r.Context()), c.Draft)
	if err != nil {
		s.fail(w, r, "confirm", err)
		return
	}
	v := composeView{composing: c, Preview: p}
	said := strings.TrimSpace(r.PostFormValue("typed"))
	typed, err := strconv.Atoi(strings.NewReplacer(",", "", ".", "", " ", "").Replace(said))
	if err != nil {
		typed = -1
	}
	pg := s.page(r, "")
	switch {
	case p.Practice:
		s.showStep(w, r, "confirm", c, nil, &p)
		return
	case unasked(c, p): // somebody else has sent it meanwhile, or the night has begun
		s.showStep(w, r, "doubt", c, nil, &p)
		return
	case p.Recipients != c.People:
		s.showStep(w, r, "confirm", c, fault("typed", pg.T("The number of people changed from %s to %s. Please check again.", pg.N(c.People), pg.N(p.Recipients))), &p)
		return
	case v.MustType() && said == "":
		s.showStep(w, r, "confirm", c, fault("typed", "Type the number of people."), &p)
		return
	case v.MustType() && typed != p.Recipients:
		s.showStep(w, r, "confirm", c, fault("typed", pg.T("You typed %s. This alert goes to %s {person|people}.", short(said), pg.N(p.Recipients))), &p)
		return
	case !v.MustType() && r.PostFormValue("drill") != "1":
		s.showStep(w, r, "confirm", c, fault("drill", "Tick that you understand this is a drill."), &p)
		return
	}
	id, err := s.Desk.Prepare(r.Context(), principalOf(r.Context()), c.Draft, c.Nonce)
	if errors.Is(err, ErrReused) {
		s.showStep(w, r, "confirm", c, fault("typed", "This form has sent an alert already. Look at the open alerts; for another one, begin with New alert."), &p)
		return
	}
	if errors.Is(err, ErrNotYet) { // on the page with everything that was written
		field := "typed"
		if !v.MustType() {
			field = "drill"
		}
		s.Log.Error("an alert is not recorded", "step", "prepare", "reason", err)
		s.showStep(w, r, "confirm", c, fault(field, "Not recorded yet. Send it again: nothing is done twice. If it stays so, call people by phone."), &p)
		return
	}
	if err == nil {
		if err := s.Desk.DeleteDraft(r.Context(), principalOf(r.Context()), c.draft()); err != nil {
			s.Log.Warn("a draft that was sent is still listed", "announcement", id, "reason", err)
		}
	}
	s.back(w, r, "announce", "/alerts/"+string(id), err)
}

// short is the beginning of what somebody typed, for a message about it.
func short(text string) string {
	r := []rune(text)
	return string(r[:min(len(r), 20)])
}
