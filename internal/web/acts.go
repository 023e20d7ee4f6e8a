package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

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
	if err == nil && v.Live && a.says == announcement.SayAllClear {
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
