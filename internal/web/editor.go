package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"kentongan/internal/announcement"
)

func (s *Server) routeEditor() {
	s.on("GET /templates", to(See).notesNothing(showsCounts), s.editionsPage)
	s.on("GET /templates/{key}", to(See).notesNothing(showsCounts), s.editorPage)
	s.on("POST /templates/{key}", to(Keep).notesWhat(editionAct), s.edit)
}

type editorView struct {
	page
	Editions []Edition
	Edition  Edition
	Words    map[announcement.Language]announcement.Text // as typed
	Number   string
}

func (s *Server) editionsPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "editor", "editions", editorView{page: s.page(r, "Templates"), Editions: s.People.Editions(r.Context())})
}

// side is the words in one language, beside those in the other.
type side struct {
	Lang announcement.Language
	announcement.Text
	DoLines  string
	Judgment Judgment
	Judged   bool
}

func sideOf(lang announcement.Language, words map[announcement.Language]announcement.Text) side {
	return side{Lang: lang, Text: words[lang], DoLines: strings.Join(words[lang].Do, "\n")}
}

func (s *Server) editorPage(w http.ResponseWriter, r *http.Request) {
	e, err := s.People.Edition(r.Context(), r.PathValue("key"))
	if err != nil {
		s.fail(w, r, "template", err)
		return
	}
	s.showEditor(w, r, editorView{Edition: e, Words: e.Texts}, nil)
}

type editorPageView struct {
	editorView
	Sides []side
}

func (s *Server) showEditor(w http.ResponseWriter, r *http.Request, v editorView, errs announcement.FieldErrors) {
	v.page = s.page(r, "Templates")
	v.Title = v.Edition.Name[v.Lang]
	v.Errors = errs
	p := editorPageView{editorView: v}
	judged := s.People.Judge(r.Context(), v.Edition.Key, v.Words)
	for _, lang := range ownLanguages {
		one := sideOf(lang, v.Words)
		one.Judgment, one.Judged = judged[lang]
		p.Sides = append(p.Sides, one)
	}
	status := http.StatusOK
	if len(errs) > 0 {
		status, p.Title = http.StatusUnprocessableEntity, p.T("Error:")+" "+p.Title
	}
	s.show(w, r, status, "editor", "editor", p)
}

// edit takes one press of the form: keep, mend, publish, try or go back.
func (s *Server) edit(w http.ResponseWriter, r *http.Request) {
	key, who := r.PathValue("key"), principalOf(r.Context())
	e, err := s.People.Edition(r.Context(), key)
	if err != nil {
		s.fail(w, r, "template", err)
		return
	}
	act := r.PostFormValue("act")
	back := func(done string, err error) {
		s.back(w, r, "template", "/templates/"+url.PathEscape(key)+"?done="+done, err)
	}
	if act == "restore" {
		number, err := strconv.Atoi(r.PostFormValue("version"))
		if err != nil {
			number = -1
		}
		back("restored", s.People.Restore(r.Context(), who, key, number))
		return
	}
	v := editorView{Edition: e, Words: readSides(r), Number: strings.TrimSpace(r.PostFormValue("number"))}
	revision, _ := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if act == "fix" {
		for lang, t := range v.Words {
			t.SMS = announcement.PlainlyAround(t.SMS)
			v.Words[lang] = t
		}
	}
	v.Edition.Revision = revision
	err = s.People.SaveWords(r.Context(), who, key, v.Words, revision)
	done := "draft"
	if err == nil {
		v.Edition.Revision = revision + 1
		switch act {
		case "publish":
			done, err = "published", s.People.Publish(r.Context(), who, key)
		case "try":
			if done = "tested"; v.Number == "" {
				err = fault("number", "Type the employee number of the person who has the phone in hand.")
			} else {
				err = s.People.TryWords(r.Context(), who, key, v.Number)
			}
		}
	}
	if errors.Is(err, ErrConflict) {
		err = fault("id.title", "Somebody else changed this text a moment ago. Copy your words, open the page again and look.")
	}
	if errs := faults(err); errs != nil {
		s.showEditor(w, r, v, errs)
		return
	}
	back(done, err)
}

func readSides(r *http.Request) map[announcement.Language]announcement.Text {
	words := map[announcement.Language]announcement.Text{}
	for _, lang := range ownLanguages {
		part := func(name string) string {
			return strings.Join(strings.Fields(r.PostFormValue(string(lang)+"."+name)), " ")
		}
		t := announcement.Text{Title: part("title"), Body: part("body"), PushTitle: part("push_title"), PushBody: part("push_body"), SMS: part("sms"), Dont: part("dont")}
		for line := range strings.Lines(r.PostFormValue(string(lang) + ".do")) {
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				t.Do = append(t.Do, line)
			}
		}
		words[lang] = t
	}
	return words
}

// partNames are the parts of a text.
var partNames = map[string]string{
	"title": "Heading of the page", "body": "First words of the page", "push_title": "Title of the notification", "push_body": "Notification",
	"sms": "SMS", "do": "What to do, one a line", "dont": "What not to do",
}

// part is one field of the editor.
type part struct {
	Field, Label, Value, Fault, Lang string
	Rows                             int
}

// Parts are the fields of one side.
func (v editorPageView) Parts(s side) []part {
	var out []part
	for _, p := range []struct {
		name, value string
		rows        int
	}{{"sms", s.SMS, 4}, {"push_title", s.PushTitle, 0}, {"push_body", s.PushBody, 3}, {"title", s.Title, 0}, {"body", s.Body, 3}, {"do", s.DoLines, 6}, {"dont", s.Dont, 2}} {
		field := string(s.Lang) + "." + p.name
		out = append(out, part{Field: field, Label: v.T(partNames[p.name]), Value: p.value, Fault: v.Fault(field), Lang: string(s.Lang), Rows: p.rows})
	}
	return out
}

// wording is a part of a text that one version changed.
type wording struct {
	Label, Lang string
	Was, Is     string
}

// Changes are the parts that a version changed, beside what stood there before.
func (v editorPageView) Changes(of EditionOf) []wording {
	var out []wording
	if of.Before == nil {
		return nil
	}
	for _, lang := range ownLanguages {
		before := v.Parts(sideOf(lang, of.Before))
		for i, is := range v.Parts(sideOf(lang, of.Texts)) {
			if was := before[i].Value; was != is.Value {
				out = append(out, wording{Label: is.Label, Lang: is.Lang, Was: was, Is: is.Value})
			}
		}
	}
	return out
}

// CanMend reports whether Fix knows what to write instead of a character.
func (j Judgment) CanMend() bool {
	for _, a := range j.Awkward {
		if a.Mends {
			return true
		}
	}
	return false
}

// judged is one side with the page that shows it.
type judged struct {
	View editorPageView
	Side side
}

// With shows a side on this page.
func (v editorPageView) With(s side) judged { return judged{v, s} }

// restoring is the form that makes a version the draft.
type restoring struct {
	View   editorPageView
	Key    string
	Number int
}

// Back is the form that makes a version the draft.
func (v editorPageView) Back(number int) restoring { return restoring{v, v.Edition.Key, number} }

// Fixable reports whether Fix would change anything.
func (v editorPageView) Fixable() bool {
	for _, s := range v.Sides {
		if s.Judgment.CanMend() {
			return true
		}
	}
	return false
}
