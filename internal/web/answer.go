package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

func (s *Server) routeAnswer() {
	s.on("GET /r/{token}", byLink, s.answerPage) // also HEAD
	s.on("POST /r/{token}", byLink, s.answer)
	s.on("POST /r/{token}/tell", byLink, s.tell)
	s.on("POST /r/{token}/seen", byLink, s.seen)
}

// answerView is the personal page of one announcement.
type answerView struct {
	page
	AnswerPage
	Token  string
	Change bool // an earlier answer stands, and the buttons are shown again
	Told   bool // what they wrote has just been stored
	Band   string
}

// Drill reports whether nobody is in danger.
func (v answerView) Drill() bool { return v.Announcement.Mode == announcement.Drill }

// Corrected reports whether the announcement was sent in error.
func (v answerView) Corrected() bool { return v.ClosedAs == announcement.AsCorrected }

// Clear reports whether people were told that it is safe again.
func (v answerView) Clear() bool {
	return v.ClosedAs == announcement.AsAllClear || !v.ClearAt.IsZero()
}

// Over reports whether what the announcement asks to do is no longer to be done.
func (v answerView) Over() bool {
	return v.Clear() || v.Corrected() || v.Status == announcement.StatusClosed
}

// OverAt is when that was said.
func (v answerView) OverAt() time.Time {
	if v.ClearAt.IsZero() {
		return v.ClosedAt
	}
	return v.ClearAt
}

// Asks reports whether the buttons are shown. What a manager said about a person
// is no answer of their own.
func (v answerView) Asks() bool {
	return !v.Corrected() && (v.Answer == 0 || v.Change || v.VouchedBy != "")
}

// AsksMore reports whether a person who is well is asked about others. In a
// drill nobody is missing.
func (v answerView) AsksMore() bool {
	return v.Answer != announcement.NeedHelp && !v.Read() && !v.Drill()
}

// helpKind is what may have happened to somebody who needs help.
type helpKind struct{ Code, Word string }

var helpKinds = []helpKind{{"hurt", "Hurt"}, {"trapped", "Trapped"}, {"threat", "Threat"}, {"other", "Something else"}}

// Kinds are what may have happened to somebody who needs help.
func (answerView) Kinds() []helpKind { return helpKinds }

// Read reports whether the question is "understood", not "safe".
func (v answerView) Read() bool { return v.Announcement.Answers == announcement.Read }

// Instruction is the one line that says what to do. It stands above the buttons:
// acting comes before answering. A prepared message has it in its push message.
func (v answerView) Instruction() string {
	if v.Text.PushBody == "" || v.Drill() || strings.Contains(v.Text.PushBody, "{") {
		return v.Text.Body
	}
	return v.Text.PushBody
}

// AnswerIcon is the picture of the given answer.
func (v answerView) AnswerIcon() template.HTML {
	switch v.Answer {
	case announcement.NeedHelp:
		return v.Icon("life-buoy")
	case announcement.NotOnSite:
		return v.Icon("door-open")
	}
	return v.Icon("circle-check")
}

// Said is the given answer in words.
func (v answerView) Said() string { return v.T(answerWords(v.Announcement.Answers, v.Answer)) }

// EarlierSaid is what they answered to an earlier version, in words.
func (v answerView) EarlierSaid() string {
	return v.T(answerWords(v.Announcement.Answers, v.Earlier))
}

func answerWords(asked announcement.Answers, a announcement.Answer) string {
	switch {
	case a == announcement.NeedHelp && asked == announcement.Read:
		return "I have a problem"
	case a == announcement.NeedHelp:
		return "need help"
	case a == announcement.NotOnSite:
		return "not on site"
	case asked == announcement.Read:
		return "understood"
	}
	return "safe"
}

func bandOf(m announcement.Mode, sev announcement.Severity) string {
	if m == announcement.Drill {
		return "sev-drill"
	}
	return "sev-" + string(sev)
}

// drillWord starts everything about a drill, so that nobody takes it for danger.
func drillWord(lang announcement.Language, title string) string {
	word := "DRILL"
	if lang == announcement.Indonesian {
		word = "LATIHAN"
	}
	if strings.HasPrefix(strings.ToUpper(title), word) {
		return word + title[len(word):]
	}
	return word + ": " + title
}

func (s *Server) answerView(r *http.Request, a AnswerPage) answerView {
	p := s.page(r, "")
	p.Lang = s.readersLanguage(r, a.Language)
	// Title, body and steps hold no personal placeholders.
	if text, ok := a.Announcement.Text[p.Lang]; ok {
		a.Text = text
	}
	p.Zone = a.Announcement.Zone
	v := answerView{page: p, AnswerPage: a, Token: r.PathValue("token"), Band: bandOf(a.Announcement.Mode, a.Announcement.Severity)}
	if v.Nonce == "" {
		v.Nonce = newNonce()
	}
	if v.Emergency == "" {
		v.Emergency = "112"
	}
	if v.AnswerPage.Org == "" {
		v.AnswerPage.Org = s.Org
	}
	v.Title = a.Text.Title
	if v.Drill() {
		v.Title = drillWord(v.page.Lang, v.Title)
	}
	if v.Over() {
		v.Band = bandAfter(v.Announcement.Mode, v.Corrected(), v.Clear())
	}
	return v
}

// bandAfter is the band of an alert that is over. A drill stays one to the end.
func bandAfter(m announcement.Mode, corrected, clear bool) string {
	switch {
	case m == announcement.Drill && !corrected:
		return bandOf(m, announcement.Info)
	case corrected || clear:
		return "sev-clear"
	}
	return "sev-info"
}

func (s *Server) answerPage(w http.ResponseWriter, r *http.Request) {
	a, err := s.Phone.AnswerPage(r.Context(), r.PathValue("token"))
	if err != nil {
		s.failPhone(w, r, "answer page", err)
		return
	}
	v := s.answerView(r, a)
	if r.Header.Get("X-Fragment") == "1" { // the page asks who handles a call for help
		if v.Answer != announcement.NeedHelp {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.show(w, r, http.StatusOK, "answer", "who", v)
		return
	}
	v.Change = r.URL.Query().Get("change") == "1"
	s.show(w, r, http.StatusOK, "answer", "answer", v)
}

// answer records a press, then thanks: never the other way round.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	press, err := s.readPress(r)
	if err != nil {
		s.failPhone(w, r, "read answer", err)
		return
	}
	// A phone that goes away in mid-request has still answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeLimit)
	defer cancel()
	token := r.PathValue("token")
	scripted := r.PostForm.Has("said")
	if !scripted {
		press.Ref = s.formRef(ctx, token, press)
	}
	a, err := s.Phone.Answer(ctx, token, press)
	if err == nil && !scripted && press.Answer == announcement.NeedHelp && a.Answer != announcement.NeedHelp {
		// Pressed this moment and yet not what stands: it was taken for a repetition
		// of an earlier press. Twice rather than never.
		press.Ref = newNonce()
		a, err = s.Phone.Answer(ctx, token, press)
	}
	if err != nil {
		s.failPhone(w, r, "answer", err)
		return
	}
	v := s.answerView(r, a)
	part := "answer"
	if r.Header.Get("X-Fragment") == "1" {
		part = "box"
		if max(press.Version, 1) < a.Version && v.Answer == 0 { // all around the box is what no longer counts
			w.Header().Set("X-Stale", "1")
		}
	}
	s.show(w, r, http.StatusOK, "answer", part, v)
}

// tell takes what a person adds after their answer is stored: nobody has to
// write anything to be helped.
func (s *Server) tell(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeLimit)
	defer cancel()
	if err := r.ParseForm(); err != nil {
		s.failPhone(w, r, "read words", unread(err))
		return
	}
	token := r.PathValue("token")
	now, err := s.Phone.AnswerPage(ctx, token)
	if err != nil {
		s.failPhone(w, r, "tell", err)
		return
	}
	v := s.answerView(r, now)
	words, part, status := strings.TrimSpace(strings.ToValidUTF8(r.PostForm.Get("words"), "")), "answer", http.StatusOK
	if r.Header.Get("X-Fragment") == "1" {
		part = "box"
	}
	var kind string
	for _, k := range helpKinds {
		if k.Code == r.PostForm.Get("kind") {
			kind = v.T(k.Word)
		}
	}
	note := []rune(strings.Trim(kind+": "+words, ": "))
	if len(note) == 0 {
		v.Errors = fault("words", "Choose or write something first.")
		if part == "answer" {
			status = http.StatusUnprocessableEntity
		}
		s.show(w, r, status, "answer", part, v)
		return
	}
	now, err = s.Phone.Tell(ctx, token, Press{
		Ref: refOf(r.PostForm.Get("k")) + "-tell", Said: s.saidAt(r.PostForm.Get("said"), r.PostForm.Get("sent")),
		Via: announcement.ViaPage, Note: string(note[:min(len(note), 1600)]),
	})
	if err != nil {
		s.failPhone(w, r, "tell", err)
		return
	}
	v = s.answerView(r, now)
	v.Told = true
	s.show(w, r, status, "answer", part, v)
}

// unread is the error of a form that could not be read. Only what came whole, and is no
// form, was chosen wrongly.
func unread(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) || errors.Is(err, errSlow) {
		return err
	}
	return errors.Join(errNoAnswer, err)
}

var errNoAnswer = announcement.FieldErrors{{Field: "a", Why: "Choose one of the answers."}}

// readPress reads the form of the answer page or of a notification button. It
// refuses only what cannot be an answer; odd times and ids are mended, because
// a call for help must not fail on them.
func (s *Server) readPress(r *http.Request) (Press, error) {
	if err := r.ParseForm(); err != nil {
		return Press{}, unread(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(r.PostForm.Get("a")))
	a := announcement.Answer(n)
	if err != nil || !a.Valid() {
		return Press{}, errNoAnswer
	}
	via := announcement.ViaPage
	if announcement.Via(r.PostForm.Get("via")) == announcement.ViaPush {
		via = announcement.ViaPush
	}
	note := []rune(strings.ToValidUTF8(r.PostForm.Get("note"), ""))
	version, _ := strconv.Atoi(r.PostForm.Get("v")) // without one it is from before there were several
	return Press{
		Version: version,
		Answer:  a,
		Ref:     refOf(r.PostForm.Get("k")) + "-" + strconv.Itoa(n),
		Said:    s.saidAt(r.PostForm.Get("said"), r.PostForm.Get("sent")),
		Via:     via, Note: string(note[:min(len(note), 1600)]),
	}, nil
}

// formRef tells the presses of one form without script apart. The same answer
// again, by a second click or a reload, is one press; a different one is new,
// also when the browser shows the same old form again, and so is going back to
// the first answer after that.
func (s *Server) formRef(ctx context.Context, token string, p Press) string {
	now, err := s.Phone.AnswerPage(ctx, token)
	switch {
	case err != nil:
		return newNonce() // what stands is not known: rather twice than never
	case now.Answer == 0 || now.Answer == p.Answer:
		return p.Ref
	}
	return p.Ref + "-" + strconv.FormatInt(now.AnsweredAt.UnixMilli(), 36)
}

// refOf keeps the form's id when it is short and plain, and otherwise a hash of
// it: the same press still has the same ref.
func refOf(k string) string {
	if k == "" {
		return newNonce()
	}
	plain := len(k) <= 64 && strings.Trim(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
	if plain {
		return k
	}
	sum := sha256.Sum256([]byte(k))
	return hex.EncodeToString(sum[:])
}

// saidAt reads when somebody pressed, in milliseconds since 1970 by the clock of
// their phone, and when the phone sent it by the same clock: only how long it
// waited is believed, since many phones have a wrong time. A wait below zero or
// of more than three days is not believed either.
func (s *Server) saidAt(said, sent string) time.Time {
	pressed, err := strconv.ParseInt(said, 10, 64)
	left, errSent := strconv.ParseInt(sent, 10, 64)
	if err != nil || errSent != nil {
		return time.Time{}
	}
	waited := left - pressed
	if waited < 0 || waited > announcement.DefaultLife.Milliseconds() {
		return time.Time{}
	}
	return s.Now().UTC().Add(-time.Duration(waited) * time.Millisecond)
}

// seen is told by the page's script or the service worker. Without c the page
// itself was displayed.
func (s *Server) seen(w http.ResponseWriter, r *http.Request) {
	var c announcement.Channel
	switch asked := announcement.Channel(r.URL.Query().Get("c")); asked {
	case announcement.WebPush, announcement.InApp:
		c = asked
	}
	version, _ := strconv.Atoi(r.URL.Query().Get("v"))
	if err := s.Phone.Seen(r.Context(), r.PathValue("token"), c, version); err != nil {
		status, _ := statusOf(err)
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// failPhone is for people who may be in danger: it says nothing about whose
// link this is, and always how to get help another way.
func (s *Server) failPhone(w http.ResponseWriter, r *http.Request, step string, err error) {
	s.failUnknown(w, r, step, err, "This link is not known or has expired. Ask your manager, or use the link of the newest message.")
}

// notConnected is said to a phone that nobody has connected to themselves.
const notConnected = "This phone is not connected. Open the personal link that HR gave you."

// failUnknown is failPhone with another sentence for what nobody knows.
func (s *Server) failUnknown(w http.ResponseWriter, r *http.Request, step string, err error, unknown string) {
	status, _ := statusOf(err)
	t := trouble{page: s.page(r, ""), Status: status}
	switch {
	case (status == http.StatusNotFound || status == http.StatusForbidden) && s.misses.tooMany(r, s.Now()):
		w.Header().Set("Retry-After", "60")
		t.Status, t.Message = http.StatusTooManyRequests, t.T("Too many links that are not known. Wait a minute, or use the link of the newest message.")
	case status == http.StatusNotFound || status == http.StatusForbidden:
		t.Status, t.Message = http.StatusNotFound, t.T(unknown)
		if t.Join = unknown == notConnected; t.Join {
			t.Status = http.StatusUnauthorized
		}
	case status == http.StatusUnprocessableEntity:
		t.Message = t.T("Go back and choose one of the answers.")
	case status == http.StatusConflict:
		t.Message = t.T("Somebody else changed this first. Look again, then decide.")
	case status == http.StatusRequestEntityTooLarge:
		t.Message = t.T("This is too large.")
	default:
		s.Log.Error("answer page failed", "step", step, "reason", err)
		w.Header().Set("Retry-After", "2")
		t.Status, t.Retry = http.StatusServiceUnavailable, true
		t.Message = t.T("NOT RECORDED YET. Please try again now.")
	}
	t.Title = t.Message
	s.show(w, r, t.Status, "trouble", "phone-trouble", t)
}
