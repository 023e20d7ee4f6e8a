package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Acting is what is done about an announcement that is open.
type Acting interface {
	Close(ctx context.Context, p Principal, id announcement.ID, as announcement.ClosedAs, reason string) error
	Remind(ctx context.Context, p Principal, id announcement.ID, reason string) (called int, err error)
	// Act says what an act on an open announcement would do: SayReminder, SayDigest
	// (escalate), SayAlert (resend), SayUpdate, SayCorrection or SayAllClear. words are those of an
	// update.
	Act(ctx context.Context, id announcement.ID, kind announcement.MessageKind, words map[announcement.Language]string) (Act, error)
	// Escalate takes a step that calls managers or the duty list now, and returns how
	// many of them are called: 0 when it was taken already. Step 0 is the next one;
	// ErrConflict when none is left.
	Escalate(ctx context.Context, p Principal, id announcement.ID, step int) (called int, err error)
	// Resend sends the SMS again to those without an answer for whom it failed, through
	// the second provider where there is one, and returns how many there are.
	// ErrConflict within two minutes of the last time.
	Resend(ctx context.Context, p Principal, id announcement.ID) (called int, err error)
	// Update tells everybody who was called something new, in each language that
	// words has; others read English, else Indonesian.
	Update(ctx context.Context, p Principal, id announcement.ID, words map[announcement.Language]string) (called int, err error)
	// Revise changes the text: a material change is a new version and asks everybody
	// again, and any other calls nobody. It returns how many are told. ErrConflict:
	// somebody else changed it first.
	Revise(ctx context.Context, p Principal, id announcement.ID, r Revision) (told int, err error)
	// AllClear tells everybody who was called that it is over. With keepAsking those
	// who have not answered are still asked and escalated; else it closes.
	AllClear(ctx context.Context, p Principal, id announcement.ID, keepAsking bool, reason string) error
	MarkAt(ctx context.Context, p Principal, id announcement.ID, m Mark) error
	// ClaimAt says that somebody handles a call for help or, with a resolution, that
	// it is over. ErrConflict: somebody else was first.
	ClaimAt(ctx context.Context, p Principal, id announcement.ID, index int, resolved announcement.Resolution) error
	// RemindAt calls one silent person again: ErrConflict within 5 minutes of the last.
	RemindAt(ctx context.Context, p Principal, id announcement.ID, index int) error
}

// Act is what an act would do, before it does.
type Act struct {
	People int    // who would be told
	Step   int    // of an escalation: which one, so that a second press takes no other
	Who    []Name // of an escalation: the managers, or the duty list; at most 200
	Push   map[announcement.Language][2]string
	SMS    map[announcement.Language]SMSPreview
	Asleep int                                         // of a notice: those of them for whom it is night, who hear it in their morning
	Text   map[announcement.Language]announcement.Text // of a revision: what it says now
	Fields map[string]string                           // of a revision: what a template was filled with
	Cost   string                                      // of the SMS; empty when no price is set
	Second bool                                        // of a resend: through the second provider
	Last   time.Time                                   // of a reminder or a resend: when the last one was too short ago,
	Next   time.Time                                   // and when the next one may be; else zero
}

// act is something that HR does while an announcement is open. Each has a page
// that says what would happen, and a form that does it.
type act struct {
	path string
	says announcement.MessageKind
	do   func(s *Server, r *http.Request, v *actView) (done string, err error)
}

var acts = []act{
	{"remind", announcement.SayReminder, (*Server).remind},
	{"resend", announcement.SayAlert, (*Server).resend},
	{"escalate", announcement.SayDigest, (*Server).escalate},
	{"update", announcement.SayUpdate, (*Server).update},
	{"revise", announcement.SayRevised, (*Server).revise},
	{"correct", announcement.SayCorrection, (*Server).correct},
	{"clear", announcement.SayAllClear, (*Server).allClear},
}

func (s *Server) routeActs() {
	for _, a := range acts {
		s.on("GET /alerts/{id}/"+a.path, to(Announce).notesNothing(oneForm), func(w http.ResponseWriter, r *http.Request) { s.actPage(w, r, a) })
		s.on("POST /alerts/{id}/"+a.path, to(Announce).notesNothing(isAFact), func(w http.ResponseWriter, r *http.Request) { s.act(w, r, a) })
	}
}

type actView struct {
	boardView
	Act       Act
	says      announcement.MessageKind
	Words     map[announcement.Language]string // of an update, as written
	Revision  *Revision                        // another text, as written; nil: not yet
	Again     string                           // whether people must answer it again: "yes", "no", or not said
	Form      Template                         // of what was made from one
	Unclaimed int                              // calls for help that nobody handles
	Keep      bool                             // those who have not answered are asked on
	Known     bool                             // the sender knows that people still need help
	Reason    string
}

func (s *Server) actPage(w http.ResponseWriter, r *http.Request, a act) {
	s.showAct(w, r, a, &actView{Keep: true}, nil)
}

// showAct shows the page of an act, with what is wrong with the form.
func (s *Server) showAct(w http.ResponseWriter, r *http.Request, a act, v *actView, errs announcement.FieldErrors) {
	v.says = a.says
	var err error
	v.boardView, err = s.boardView(r)
	if err == nil && !v.Live && errs != nil { // there is nothing to mend any more: the board says how it ended
		http.Redirect(w, r, "/alerts/"+string(v.ID)+"?done=closed-before", http.StatusSeeOther)
		return
	}
	if err == nil && v.Live {
		v.Act, err = s.Desk.Act(r.Context(), v.ID, a.says, v.Words)
	}
	for _, t := range s.Desk.Templates() {
		if t.Key == v.Summary.Template {
			v.Form = t
		}
	}
	if err == nil && v.Live && (a.says == announcement.SayAllClear || a.says == announcement.SayCorrection) {
		v.Unclaimed, err = s.unclaimed(r, v.ID)
	}
	if err != nil {
		s.fail(w, r, a.path, err)
		return
	}
	status := http.StatusOK
	if v.Errors = errs; errs != nil {
		status, v.Title = http.StatusUnprocessableEntity, v.T("Error:")+" "+v.Title
	}
	s.show(w, r, status, "board", a.path, v)
}

// act does it once, and says so on the board.
func (s *Server) act(w http.ResponseWriter, r *http.Request, a act) {
	v := &actView{}
	done, err := a.do(s, r, v)
	board := "/alerts/" + r.PathValue("id")
	switch errs := faults(err); {
	case errs != nil:
		s.showAct(w, r, a, v, errs)
		return
	case errors.Is(err, ErrClosed): // somebody was quicker, or this is a second press: the board says how it ended
		done, err = "closed-before", nil
	case err == nil && done == "":
		s.showAct(w, r, a, v, nil)
		return
	}
	s.back(w, r, a.path, board+"?done="+done, err)
}

func (s *Server) remind(r *http.Request, _ *actView) (string, error) {
	called, err := s.Desk.Remind(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), "reminded from the board")
	switch {
	case errors.Is(err, ErrConflict):
		return "reminded-before", nil
	case err == nil && called == 0:
		return "nobody", nil
	}
	return "reminded", err
}

func (s *Server) resend(r *http.Request, _ *actView) (string, error) {
	called, err := s.Desk.Resend(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")))
	switch {
	case errors.Is(err, ErrConflict):
		return "resent-before", nil
	case err == nil && called == 0:
		return "none-failed", nil
	}
	return "resent", err
}

func (s *Server) escalate(r *http.Request, _ *actView) (string, error) {
	step, _ := strconv.Atoi(r.PostFormValue("step"))
	_, err := s.Desk.Escalate(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), step)
	if errors.Is(err, ErrConflict) {
		return "no-step", nil
	}
	return "escalated", err
}

// update shows how the words will look, or says them.
func (s *Server) update(r *http.Request, v *actView) (string, error) {
	v.Words = map[announcement.Language]string{}
	for _, lang := range ownLanguages {
		if words := strings.Join(strings.Fields(r.PostFormValue("words."+string(lang))), " "); words != "" {
			v.Words[lang] = words
		}
	}
	if r.PostFormValue("look") != "" {
		return "", nil
	}
	_, err := s.Desk.Update(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), v.Words)
	return "updated", err
}

// correct takes everything back. Nothing has to be written first: minutes count
// when people run for nothing.
func (s *Server) correct(r *http.Request, v *actView) (string, error) {
	if v.Reason = strings.TrimSpace(r.PostFormValue("reason")); v.Reason == "" {
		v.Reason = "sent in error"
	}
	return "corrected", s.Desk.Close(r.Context(), principalOf(r.Context()), announcement.ID(r.PathValue("id")), announcement.AsCorrected, v.Reason)
}

// allClear is not said while somebody calls for help and nobody has taken it on,
// unless the sender says that they know.
func (s *Server) allClear(r *http.Request, v *actView) (string, error) {
	id := announcement.ID(r.PathValue("id"))
	v.Reason, v.Keep, v.Known = strings.TrimSpace(r.PostFormValue("reason")), r.PostFormValue("keep") != "no", r.PostFormValue("known") == "1"
	waiting, err := s.unclaimed(r, id)
	if err != nil {
		return "", err
	}
	if waiting > 0 && !v.Known {
		return "", fault("known", "People still need help, and nobody handles it. See to them first, or tick that you know.")
	}
	if v.Reason == "" {
		v.Reason = "all clear"
	}
	done := "cleared"
	if v.Keep {
		done = "cleared-on"
	}
	return done, s.Desk.AllClear(r.Context(), principalOf(r.Context()), id, v.Keep, v.Reason)
}

// unclaimed counts the calls for help that nobody handles.
func (s *Server) unclaimed(r *http.Request, id announcement.ID) (int, error) {
	p, err := s.boards(r.Context()).Recipients(r.Context(), id, RecipientFilter{State: announcement.NeedsHelp, Limit: 500})
	n := 0
	for _, who := range p.Recipients {
		if who.Claimed == "" && who.Resolved == "" {
			n++
		}
	}
	return n, err
}

// Messages is what people would read, Indonesian first; nothing while an update
// has no words yet.
func (v actView) Messages() []message {
	if (v.says == announcement.SayUpdate || v.says == announcement.SayRevised) && len(v.Words) == 0 {
		return nil
	}
	return messages(v.Act.Push, v.Act.SMS)
}

// shownWho is how many of those who would be called are listed openly.
const shownWho = 12

// WhoFirst are the first of those who would be called.
func (v actView) WhoFirst() []Name { return v.Act.Who[:min(len(v.Act.Who), shownWho)] }

// WhoMore are the others.
func (v actView) WhoMore() []Name { return v.Act.Who[min(len(v.Act.Who), shownWho):] }

// updateText is the field of one language.
type updateText struct {
	Lang  announcement.Language
	Words string
	Max   int
}

// UpdateTexts are the fields of an update.
func (v actView) UpdateTexts() []updateText {
	var out []updateText
	for _, lang := range ownLanguages {
		out = append(out, updateText{lang, v.Words[lang], announcement.MaxUpdateSMS})
	}
	return out
}
